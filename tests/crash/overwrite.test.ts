import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sealFile } from '../../src/messages/file.ts'
import { openMessage } from '../../src/messages/message.ts'
import { rewrapFile } from '../../src/messages/rewrap-file.ts'
import { childProgram } from '../child-program.ts'
import { testKms } from './overwrite-kms.ts'

const program = childProgram('tests/crash/overwrite-child.ts')
let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'strongroom-crash-'))
})
afterAll(() => rmSync(home, { recursive: true }))

it('a file sealed over one with detached recipients, killed before any step, is the old one with them or the new one', async () => {
  const [input, sealed, beside] = [join(home, 'in'), join(home, 'sealed'), join(home, 'sealed.recipients')]
  const quick = { durable: false, force: true } as const
  const found = new Set<string>()
  for (let step = 1; ; step++) {
    await writeFile(input, 'old')
    await sealFile(testKms('old'), input, sealed, quick)
    await rewrapFile(testKms('old'), sealed, { ...quick, detached: true, to: testKms('beside') })
    await writeFile(input, 'new')
    const { signal, stdout } = spawnSync(process.execPath, [program.path, input, sealed, String(step)])
    const message = await readFile(sealed)
    const recipients = existsSync(beside) ? await readFile(beside) : undefined
    const isNew = await openMessage(testKms('new'), message).then(
      ({ plaintext }) => String(plaintext) === 'new',
      () => false,
    )
    if (!isNew) {
      for (const kms of [testKms('old'), testKms('beside')]) {
        const { plaintext } = await openMessage(kms, message, { recipients: recipients as Uint8Array })
        expect(String(plaintext)).toBe('old')
      }
    }
    found.add(`${isNew ? 'new' : 'old'} ${recipients === undefined ? 'without' : 'with'}`)
    if (signal === null) {
      expect(step).toBeGreaterThan(Number(String(stdout)))
      expect([isNew, recipients]).toEqual([true, undefined])
      break
    }
    expect(signal).toBe('SIGKILL')
  }
  expect([...found].sort()).toEqual(['new with', 'new without', 'old with'])
})
