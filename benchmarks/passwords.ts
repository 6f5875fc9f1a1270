import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { argon2id, type PasswordHasher } from 'strongroom'
import type { Argon2Engine } from '../src/passwords/engine.ts'
import { type Argon2EngineName, argon2EngineNames, loadEngine } from '../src/passwords/load-engine.ts'

/** One contender under load. */
export interface LoginRun {
  readonly name: string
  readonly loginsPerSecond: number
  /** Time from arrival to answer, in ms. */
  readonly p50: number
  readonly p99: number
  /** 99th percentile of the event loop's delay, in ms. */
  readonly loopDelayP99: number
  /** Growth of resident memory over the run, in MiB. */
  readonly rssMiB: number
}

/** What `passwordBenchmark` measured; the targets are those of the performance notes. */
export interface PasswordNumbers {
  readonly logins: number
  readonly budgetMiB: number
  readonly runs: readonly LoginRun[]
  /** Time of one verify over the bare engine's time for the same hash, by engine. */
  readonly overhead: Readonly<Record<string, number>>
  /** Median of a wrong password over the median of an unknown user. */
  readonly unknownRatio: number
}

const PASSWORD = 'correct horse battery staple'
const BUDGET_MIB = 256
const parameters = { memoryKiB: 19_456, passes: 2, parallelism: 1 } as const

/**
 * 500 logins that arrive at once, at the OWASP minimum, for each engine that is here: through Strongroom, and through
 * the bare library as it is commonly called. Then the cost of Strongroom around one hash, and whether an unknown user
 * can be told from a known one by time.
 */
export async function passwordBenchmark({ logins = 500, timings = 1000 } = {}): Promise<PasswordNumbers> {
  const engines = await enginesHere()
  const runs: LoginRun[] = []
  const overhead: Record<string, number> = {}
  for (const [name, engine] of engines) {
    const hasher = argon2id({
      ...parameters,
      engine: name,
      admission: { memoryMiB: BUDGET_MIB, queue: logins, deadlineMs: 600_000 },
    })
    const stored = await hasher.hash(PASSWORD)
    const login = () => hasher.verify(PASSWORD, stored)
    runs.push(await storm(`strongroom, ${name}`, logins, login))
    runs.push(await storm(`bare ${name}`, logins, () => bare(engine)))
    overhead[name] = await ratio(
      () => login(),
      () => bare(engine),
      60,
    )
  }
  return { logins, budgetMiB: BUDGET_MIB, runs, overhead, unknownRatio: await unknownRatio(timings) }
}

/** The numbers as lines for people. */
export function describePasswordNumbers(numbers: PasswordNumbers): string[] {
  const rows = numbers.runs.map(
    ({ name, loginsPerSecond, p50, p99, loopDelayP99, rssMiB }) =>
      `${name.padEnd(32)} ${fixed(loginsPerSecond)} logins/s   p50 ${fixed(p50)} ms   p99 ${fixed(p99)} ms   loop p99 ${fixed(loopDelayP99)} ms   RSS +${fixed(rssMiB)} MiB`,
  )
  const over = Object.entries(numbers.overhead).map(
    ([name, value]) => `one verify over the bare hash, ${name}: ${value.toFixed(3)} (target 1.05)`,
  )
  return [
    `${numbers.logins} logins at once, Argon2id m=${parameters.memoryKiB} t=${parameters.passes} p=1, budget ${numbers.budgetMiB} MiB`,
    ...rows,
    ...over,
    `wrong password over unknown user, medians: ${numbers.unknownRatio.toFixed(4)} (target 0.98 to 1.02)`,
  ]
}

async function enginesHere(): Promise<[Argon2EngineName, Argon2Engine][]> {
  const found: [Argon2EngineName, Argon2Engine][] = []
  for (const name of argon2EngineNames) {
    const engine = await loadEngine(name).catch(() => undefined)
    if (engine !== undefined) found.push([name, engine])
  }
  return found
}

function bare(engine: Argon2Engine): Promise<Buffer> {
  const password = Buffer.from(PASSWORD)
  return engine.hash({ ...parameters, type: 'argon2id', version: 19, hashLength: 32, password, salt: randomBytes(16) })
}

async function storm(name: string, logins: number, login: () => Promise<unknown>): Promise<LoginRun> {
  await login()
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  let peak = before
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 5)
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
    name,
    loginsPerSecond: logins / seconds,
    p50: times[Math.floor(times.length * 0.5)] as number,
    p99: times[Math.floor(times.length * 0.99)] as number,
    loopDelayP99: delay.percentile(99) / 1e6,
    rssMiB: (peak - before) / 1_048_576,
  }
}

/** Known and unknown users in turn, so that whatever else the machine does falls on both alike. */
async function unknownRatio(timings: number): Promise<number> {
  const hasher: PasswordHasher = argon2id(parameters)
  const stored = await hasher.hash(PASSWORD)
  return ratio(
    () => hasher.verify('wrong', stored),
    () => hasher.verify('wrong', undefined),
    timings,
  )
}

/** Median time of `a` over median time of `b`, called in turn; the order changes each time. */
async function ratio(a: () => Promise<unknown>, b: () => Promise<unknown>, rounds: number): Promise<number> {
  const times: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const started = performance.now()
      await (which === 0 ? a : b)()
      times[which]?.push(performance.now() - started)
    }
  }
  return median(times[0]) / median(times[1])
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1] as number
}

function fixed(value: number): string {
  return value.toFixed(1).padStart(8)
}

if (import.meta.filename === process.argv[1]) {
  console.log(`Node ${process.version}, ${availableParallelism()} cores`)
  for (const line of describePasswordNumbers(await passwordBenchmark())) console.log(line)
}
