import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { lowerQuartile } from './measure.ts'
import type { Result, Suite } from './result.ts'

const built = new URL('../dist/index.js', import.meta.url)
const memory = new URL('../dist/memory.js', import.meta.url)

/** What one fresh process prints: ms until the package is there, ms until a Strongroom is open, ms since the process began. */
const SCRIPT = `
const start = performance.now()
const { openStrongroom } = await import(${JSON.stringify(built.href)})
const imported = performance.now()
const { memoryKms, memoryKeyStore } = await import(${JSON.stringify(memory.href)})
const ready = performance.now()
const room = await openStrongroom({ name: 'bench', kms: memoryKms(), store: memoryKeyStore() }, { init: true })
const opened = performance.now()
await room.close()
console.log(JSON.stringify([imported - start, opened - ready]))
`

/** P11: from nothing to an open Strongroom, in fresh processes, from the built package. */
export const startup: Suite = async ({ quick }) => {
  if (!existsSync(fileURLToPath(built))) {
    return [{ id: 'P11 start', what: "import 'strongroom'", measured: '', missing: 'build first: npm run build' }]
  }
  const runs = Array.from({ length: quick ? 2 : 15 }, runOnce)
  const part = (at: 0 | 1) => lowerQuartile(runs.map((run) => run[at]))
  const line = (what: string, ms: number): Result => ({
    id: 'P11 start',
    what,
    measured: `${ms.toFixed(1)} ms`,
    value: ms,
    target: { atMost: 60 },
  })
  return [line("import 'strongroom'", part(0)), line('openStrongroom on local defaults', part(1))]
}

function runOnce(): [number, number] {
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', SCRIPT], { encoding: 'utf8' })
  return JSON.parse(out) as [number, number]
}
