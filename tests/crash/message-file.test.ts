import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rawAes } from 'strongroom/raw'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { bundle } from '../bundle.ts'
import { pattern } from '../messages/fixtures.ts'

const kms = rawAes({ namespace: 'tests', name: 'crash', key: new Uint8Array(32).fill(4) })
const plaintext = pattern(3_000_000)
const kills = process.env.STRONGROOM_SLOW === '1' ? 60 : 2

let home: string
let script: string
beforeAll(async () => {
  script = await bundle('tests/crash/message-file-writer.ts')
  home = mkdtempSync(join(tmpdir(), 'strongroom-crash-'))
})
afterAll(() => {
  for (const folder of [home, join(script, '..')]) rmSync(folder, { recursive: true })
})

/** Starts the writer, and kills it at a moment of its choosing that we do not know. */
async function killed(work: string, from: string, to: string, ms: number): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [script, work, from, to], {
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
