import { execFileSync } from 'node:child_process'
import type { Result, Suite } from './result.ts'

const ROWS = 20_000
const CHUNK = 1000

const root = new URL('..', import.meta.url).href

/** Encrypts and decrypts rows in chunks and prints seconds and the most memory used, in MiB. */
const SCRIPT = `
const { memoryKeyStore, memoryKms } = await import('${root}providers/memory/index.ts')
const { defineRecord, openStrongroom, text } = await import('${root}src/index.ts')
const people = defineRecord('people', { name: text(), email: text(), notes: text() }, { id: 'id', tenant: 'org' })
const config = { name: 'bench', kms: memoryKms(), store: memoryKeyStore(), records: { people } }
const room = await openStrongroom(config, { init: true })
const run = async (rows) => {
  for (let at = 0; at < rows; at += ${CHUNK}) {
    const chunk = Array.from({ length: ${CHUNK} }, (_, i) => ({
      id: at + i, org: 'org ' + (i % 100), name: 'Ada ' + i, email: i + '@example.com', notes: 'none',
    }))
    await room.records.people.decryptMany(await room.records.people.encryptMany(chunk))
  }
}
await run(10 * ${CHUNK})
const before = process.cpuUsage()
await run(Number(process.argv[1]))
const used = process.cpuUsage(before)
console.log(JSON.stringify([(used.user + used.system) / 1e6, process.resourceUsage().maxRSS / 1024]))
await room.close()
`

/** P12: ten times the rows, in a process of their own each. Processor time, so that other processes do not count. */
export const scale: Suite = async ({ quick }) => {
  const rows = quick ? CHUNK : ROWS
  const [seconds, peak] = runOnce(rows)
  const [tenfoldSeconds, tenfoldPeak] = runOnce(10 * rows)
  const line = (what: string, value: number, atMost: number): Result => ({
    id: 'P12 scale',
    what: `${what} of ${(10 * rows).toLocaleString('en')} rows against ${rows.toLocaleString('en')}`,
    measured: `${value.toFixed(2)} ×`,
    value,
    target: { atMost },
  })
  return [line('time', tenfoldSeconds / seconds, 11), line('memory', tenfoldPeak / peak, 1.1)]
}

function runOnce(rows: number): [number, number] {
  const hook = new URL('strip-types.mjs', import.meta.url).href
  const args = ['--import', hook, '--input-type=module', '-e', SCRIPT, String(rows)]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as [number, number]
}
