import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { argon2id } from '../src/index.ts'
import type { Argon2Engine } from '../src/passwords/engine.ts'
import { type Argon2EngineName, loadEngine } from '../src/passwords/load-engine.ts'

/** Many logins that arrive at once. */
export interface Storm {
  readonly engine: Argon2EngineName
  /** Through Strongroom, or to the library as it is. */
  readonly bare: boolean
  readonly logins: number
}

/** What one storm did to the process. */
export interface StormResult {
  readonly loginsPerSecond: number
  /** From arrival to answer, in ms. */
  readonly p50: number
  readonly p99: number
  /** 99th percentile of the delay of the event loop, in ms. */
  readonly loopDelayP99: number
  /** Resident memory at most, above what it was before, in MiB. */
  readonly rssMiB: number
  /** Hashes that the engine had to do at the same time, at most; libuv computes four of them at once. */
  readonly inFlight: number
}

/** The OWASP minimum: one hash takes 19 MiB. */
export const parameters = { memoryKiB: 19_456, passes: 2, parallelism: 1 } as const
export const BUDGET_MIB = 256
export const PASSWORD = 'correct horse battery staple'

/** Runs a storm in a process of its own, so that the memory of one does not hide in that of another. */
export function runStorm(storm: Storm): Promise<StormResult> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(storm)], { execArgv: process.execArgv })
    child.once('message', (result) => resolve(result as StormResult))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the storm ended with code ${code}`)))
  })
}

/** One hash by an engine alone, with nothing around it. */
export function bareHash(engine: Argon2Engine): Promise<Buffer> {
  const password = Buffer.from(PASSWORD)
  return engine.hash({ ...parameters, type: 'argon2id', version: 19, hashLength: 32, password, salt: randomBytes(16) })
}

async function weather({ engine: name, bare, logins }: Storm): Promise<StormResult> {
  let now = 0
  let inFlight = 0
  const real = await loadEngine(name)
  const engine: Argon2Engine = {
    ...real,
    hash: async (request) => {
      inFlight = Math.max(inFlight, ++now)
      return real.hash(request).finally(() => now--)
    },
  }
  const hasher = argon2id({
    ...parameters,
    engine,
    admission: { memoryMiB: BUDGET_MIB, queue: logins, deadlineMs: 600_000 },
  })
  const stored = await hasher.hash(PASSWORD)
  const login = bare ? () => bareHash(engine) : () => hasher.verify(PASSWORD, stored)

  const before = process.memoryUsage.rss()
  let peak = before
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 2)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const started = performance.now()
  const times: number[] = []
  await Promise.all(
    Array.from({ length: logins }, async () => {
      await login()
      times.push(performance.now() - started)
    }),
  )
  const seconds = (performance.now() - started) / 1000
  delay.disable()
  clearInterval(watch)
  times.sort((a, b) => a - b)
  return {
    loginsPerSecond: logins / seconds,
    p50: times[Math.floor(logins * 0.5)] as number,
    p99: times[Math.floor(logins * 0.99)] as number,
    loopDelayP99: delay.percentile(99) / 1e6,
    rssMiB: (peak - before) / 1_048_576,
    inFlight,
  }
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  process.send(await weather(JSON.parse(process.argv[2] as string)))
  process.disconnect()
}
