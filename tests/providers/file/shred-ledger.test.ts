import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileShredLedger } from '../../../providers/file/index.ts'
import type { ShredEntry, ShredLedger } from '../../../src/key-store.ts'
import { nextShredEntries, readShredLedger, ShredLedgerReader } from '../../../src/keys/shred-ledger.ts'
import { fileReads } from '../../file-reads.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-ledger-'))
  path = join(folder, 'ledger')
})
afterEach(() => rm(folder, { recursive: true }))

const entries = (count: number, last?: ShredEntry, store = 'Straße'): ShredEntry[] =>
  nextShredEntries(
    last,
    Array.from({ length: count }, (_, i) => ({
      at: '2026-01-01T00:00:00.000Z',
      store,
      keyId: i.toString(16).padStart(32, '0'),
      proof: 'ab'.repeat(32),
    })),
  )

/** How many bytes of files are read while `work` runs. */
async function bytesRead(work: () => Promise<unknown>): Promise<number> {
  return (await fileReads(work)).reduce((sum, { bytes }) => sum + bytes, 0)
}

describe('a ledger of shredded keys in a file', () => {
  test('is read once, however many pages it has, and then what was added', async () => {
    const ledger = fileShredLedger({ path })
    const first = entries(12_000)
    expect(await ledger.append(first)).toBe(true)
    const { size } = await stat(path)
    const reader = new ShredLedgerReader(ledger)
    // A page reads up to a mebibyte more than it needs.
    expect(await bytesRead(async () => expect(await reader.read()).toEqual(first))).toBeLessThan(size + 14 * 2 ** 20)
    const more = entries(3, first.at(-1))
    const read = await bytesRead(async () => {
      expect(await ledger.append(more)).toBe(true)
      expect(await reader.read()).toEqual(more)
    })
    expect(read).toBeLessThan(2 ** 18)
    expect(await readShredLedger(fileShredLedger({ path }))).toEqual([...first, ...more])
  })

  test('gives any page of it, in any order, also while another process appends', async () => {
    const [ledger, other] = [fileShredLedger({ path }), fileShredLedger({ path })]
    expect(await ledger.read(0, 10)).toEqual([])
    const all = entries(7)
    expect(await ledger.append(all.slice(0, 5))).toBe(true)
    expect(await ledger.read(2, 2)).toEqual(all.slice(2, 4))
    expect(await ledger.read(4, 10)).toEqual(all.slice(4, 5))
    expect(await ledger.read(5, 10)).toEqual([])
    expect(await other.append(all.slice(5))).toBe(true)
    expect(await ledger.read(5, 10)).toEqual(all.slice(5))
    expect(await ledger.read(0, 1)).toEqual(all.slice(0, 1))
    expect(await ledger.read(9, 10)).toEqual([])
    expect(await ledger.append(all.slice(5))).toBe(false)
    expect(await ledger.read(6, 10)).toEqual(all.slice(6))
  })

  test('takes lines and unfinished lines of any length', async () => {
    const ledger = fileShredLedger({ path })
    const long = entries(3, undefined, 'x'.repeat(200_000))
    for (const [at, entry] of long.entries()) {
      await writeFile(path, 'x'.repeat(300_000), { flag: 'a' })
      expect(await ledger.read(at, 10)).toEqual([])
      expect(await ledger.append([entry])).toBe(true)
      expect(await ledger.append([entry])).toBe(false)
    }
    expect(await readShredLedger(ledger)).toEqual(long)
  })

  test('notices a change between two pages, and reads another file in its place from its start', async () => {
    const ledger = fileShredLedger({ path })
    await ledger.append(entries(2500))
    const text = await readFile(path, 'utf8')
    let pages = 0
    const changed: ShredLedger = {
      ...ledger,
      read: async (after, limit) => {
        if (++pages === 2) await writeFile(path, text.replace('"seq":1500,', '"seq":1501,'))
        return ledger.read(after, limit)
      },
    }
    await expect(readShredLedger(changed)).rejects.toMatchObject({ code: 'ERR_KEY_STORE', fault: 'corrupt' })
    const other = entries(1500, undefined, 'another with a longer name')
    await writeFile(path, other.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    expect(await readShredLedger(ledger)).toEqual(other)
    await rm(path)
    expect(await ledger.read(1500, 10)).toEqual([])
    expect(await ledger.append(entries(1))).toBe(true)
  })

  test('with a last line that is none is left as it is', async () => {
    const ledger = fileShredLedger({ path })
    await ledger.append(entries(2))
    const damaged = `${await readFile(path, 'utf8')}no entry\n`
    await writeFile(path, damaged)
    await expect(ledger.append(entries(1))).rejects.toMatchObject({ code: 'ERR_KEY_STORE', fault: 'corrupt' })
    await expect(readShredLedger(ledger)).rejects.toMatchObject({ code: 'ERR_KEY_STORE', fault: 'corrupt' })
    expect(await readFile(path, 'utf8')).toBe(damaged)
  })
})
