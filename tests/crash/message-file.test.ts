import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rawAes } from 'strongroom/raw'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inspectMessage } from '../../src/messages/inspect.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { childProgram } from '../child-program.ts'
import { pattern } from '../messages/fixtures.ts'

const kms = rawAes({ namespace: 'tests', name: 'crash', key: new Uint8Array(32).fill(4) })
const plaintext = pattern(3_000_000)
const kills = process.env.STRONGROOM_SLOW === '1' ? 60 : 2

const program = childProgram('tests/crash/message-file-writer.ts')
let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'strongroom-crash-'))
})
afterAll(() => rmSync(home, { recursive: true }))

/** Starts the writer, and kills it at a moment of its choosing that we do not know. */
async function killed(work: string, from: string, to: string, ms: number): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [program.path, work, from, to], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  await new Promise((resolve) => child.stdout?.once('data', resolve))
  await new Promise((resolve) => setTimeout(resolve, ms))
  expect(child.exitCode).toBe(null)
  child.kill('SIGKILL')
  await ended
}

it.each(['seal', 'open', 'rewrap'])(
  'a kill at any moment while files are written (%s) leaves no plausible wrong file',
  async (work) => {
    const from = join(home, `${work}-from`)
    const to = join(home, `${work}-to`)
    const message = await sealMessage(kms, plaintext, { frameLength: 1024 })
    writeFileSync(from, work === 'seal' ? plaintext : message)
    for (let kill = 0; kill < kills; kill++) {
      await killed(work, from, to, Math.random() * 150)
      const result = work === 'rewrap' ? from : to
      const names = readdirSync(home).filter((name) => name.includes(`${work}-`))
      for (const name of names) {
        if (join(home, name) === from || join(home, name) === to) continue
        expect(name).toMatch(/^\.[a-z]+-(from|to)\.[0-9a-f]{8}\.part$/)
        rmSync(join(home, name))
      }
      if (!names.includes(result.slice(home.length + 1))) continue
      const bytes = readFileSync(result)
      const opened = work === 'open' ? bytes : (await openMessage(kms, bytes)).plaintext
      expect(opened.equals(plaintext)).toBe(true)
    }
  },
  600_000,
)

it('a kill at any moment while detached recipients are written leaves the old or the new ones, and the file', async () => {
  const from = join(home, 'detached')
  const message = await sealMessage(kms, plaintext, { frameLength: 1024 })
  const others = ['one', 'two'].map((name) => rawAes({ namespace: 'tests', name, key: new Uint8Array(32).fill(5) }))
  writeFileSync(from, message)
  const found = new Set<string>()
  for (let kill = 0; kill < kills; kill++) {
    await killed('detached', from, '', Math.random() * 50)
    expect(readFileSync(from).equals(message)).toBe(true)
    for (const name of readdirSync(home).filter((one) => one.includes('detached.'))) {
      if (name === 'detached.recipients') continue
      expect(name).toMatch(/^\.detached\.recipients\.[0-9a-f]{8}\.part$/)
      rmSync(join(home, name))
    }
    const recipients = await readFile(`${from}.recipients`).catch(() => undefined)
    if (recipients === undefined) continue // killed before there were any
    found.add((await inspectMessage(recipients)).recipients.map(({ keyId }) => keyId).join())
    expect((await openMessage(others, message, { recipients })).plaintext.equals(plaintext)).toBe(true)
  }
  // Few kills may all come before the first, or meet the same.
  if (kills > 10) expect([...found].sort()).toEqual(['one', 'two'])
}, 600_000)
