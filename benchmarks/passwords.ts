import { availableParallelism } from 'node:os'
import { argon2id } from '../src/index.ts'
import type { Argon2Engine } from '../src/passwords/engine.ts'
import { type Argon2EngineName, argon2EngineNames, loadEngine } from '../src/passwords/load-engine.ts'
import { BUDGET_MIB, bareHash, PASSWORD, parameters, runStorm } from './login-storm.ts'
import { measure, median, ratio, type Speed } from './measure.ts'
import { type Result, type Suite, speedLine } from './result.ts'

/** P9: passwords. Every engine that is here, through Strongroom and bare, alone and 500 at once. */
export const passwords: Suite = async ({ quick }) => {
  const engines = await enginesHere()
  return [
    ...(await alone(engines, quick)),
    ...(await storms(engines, quick ? 20 : 500)),
    ...(await unknownUser(quick ? 5 : 1000)),
  ]
}

/** One after another: what Strongroom costs around a hash, and how the engines compare. */
async function alone(engines: [Argon2EngineName, Argon2Engine][], quick: boolean): Promise<Result[]> {
  const contenders = []
  for (const [name, engine] of engines) {
    const hasher = argon2id({ ...parameters, engine: name })
    const stored = await hasher.hash(PASSWORD)
    contenders.push({ name: `bare ${name}`, run: () => bareHash(engine), async: true })
    contenders.push({ name: `verify, ${name}`, run: () => hasher.verify(PASSWORD, stored), async: true })
  }
  const speeds = await measure(contenders, quick ? { rounds: 2, roundMs: 20 } : { rounds: 40, roundMs: 200 })
  const speedOf = (name: string) => speeds.find((speed) => speed.name === name) as Speed
  const lines = engines.flatMap(([name]) => [
    speedLine('P9 alone', speedOf(`bare ${name}`)),
    speedLine('P9 alone', speedOf(`verify, ${name}`), ratio(speedOf(`verify, ${name}`), speedOf(`bare ${name}`))),
  ])
  const fastest = Math.max(...engines.map(([name]) => speedOf(`bare ${name}`).perSecond))
  lines.push(await around(1 / fastest, quick ? 200 : 5000))
  if (engines.some(([name]) => name === '@node-rs/argon2')) {
    const times = ratio(speedOf('verify, @node-rs/argon2'), speedOf('bare argon2'))
    lines.push({
      id: 'P9 engine',
      what: 'verify, @node-rs/argon2, over bare argon2',
      measured: `${times.toFixed(2)} ×`,
      value: times,
      target: { atLeast: 1.8 },
    })
  }
  return lines
}

/**
 * What Strongroom adds to one hash: a verify over an engine that answers at once, beside the time of the fastest engine.
 * The difference of two hashes cannot be read off the clock: it is a thousandth of them.
 */
async function around(hashSeconds: number, rounds: number): Promise<Result> {
  const real = await loadEngine('argon2')
  const answer = Buffer.alloc(32)
  const instant: Argon2Engine = {
    ...real,
    hash: (request) => (request.secret === undefined ? Promise.resolve(answer) : real.hash(request)),
  }
  const hasher = argon2id({ ...parameters, engine: instant })
  const stored = await hasher.hash(PASSWORD)
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    times.push((await timed(() => hasher.verify(PASSWORD, stored))).clock)
  }
  const ms = median(times)
  const share = ms / 1000 / hashSeconds
  return {
    id: 'P9 alone',
    what: 'what a verify adds to the hash of the fastest engine',
    measured: `${(ms * 1000).toFixed(0)} µs  ${(100 * share).toFixed(2)} %`,
    value: share,
    target: { atMost: 0.05 },
  }
}

/** All at once: memory, the event loop, and how long people wait. */
async function storms(engines: [Argon2EngineName, Argon2Engine][], logins: number): Promise<Result[]> {
  const lines: Result[] = []
  for (const [engine] of engines) {
    for (const bare of [false, true]) {
      const who = `${logins} at once, ${bare ? 'bare ' : ''}${engine}`
      const storm = await runStorm({ engine, bare, logins })
      const { loginsPerSecond, p50, p99, loopDelayP99, rssMiB, inFlight } = storm
      const line = (what: string, value: number, unit: string, most?: number): Result => ({
        id: 'P9 storm',
        what: `${who}: ${what}`,
        measured: `${value.toFixed(unit === '' ? 0 : 1)} ${unit}`.trim(),
        ...(bare || most === undefined ? {} : { value, target: { atMost: most } }),
      })
      lines.push(
        line('logins', loginsPerSecond, '/s'),
        line('wait, median', p50, 'ms'),
        line('wait, p99', p99, 'ms'),
        line('event loop, p99', loopDelayP99, 'ms', 20),
        line('memory above the start', rssMiB, 'MiB', BUDGET_MIB),
        line('hashes given to the engine at once', inFlight, '', availableParallelism()),
      )
    }
  }
  return lines
}

/**
 * A wrong password and an unknown user in turn, so that whatever else the machine does falls on both alike: by the clock,
 * as an attacker sees it, and by the processor's time, which says whether the same work was done.
 */
async function unknownUser(rounds: number): Promise<Result[]> {
  const hasher = argon2id(parameters)
  const stored = await hasher.hash(PASSWORD)
  const samples = { known: [] as Sample[], unknown: [] as Sample[] }
  for (let round = 0; round < rounds; round++) {
    for (const which of round % 2 === 0 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)) {
      samples[which].push(await timed(() => hasher.verify('wrong', which === 'known' ? stored : undefined)))
    }
  }
  const gap = (unit: keyof Sample) => {
    const [known, unknown] = [samples.known, samples.unknown].map((list) => median(list.map((sample) => sample[unit])))
    return Math.abs((known as number) / (unknown as number) - 1)
  }
  const line = (what: string, value: number): Result => ({
    id: 'P9 timing',
    what: `wrong password and unknown user, ${rounds} each: gap of medians, ${what}`,
    measured: `${(100 * value).toFixed(2)} %`,
  })
  const clock = gap('clock')
  return [
    { ...line('by the clock', clock), value: clock, target: { atMost: 0.02 } },
    line("by the processor's time", gap('processor')),
  ]
}

interface Sample {
  /** ms */
  readonly clock: number
  /** ms, of all threads */
  readonly processor: number
}

async function timed(work: () => Promise<unknown>): Promise<Sample> {
  const cpu = process.cpuUsage()
  const started = performance.now()
  await work()
  const clock = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  return { clock, processor: (user + system) / 1000 }
}

async function enginesHere(): Promise<[Argon2EngineName, Argon2Engine][]> {
  const found: [Argon2EngineName, Argon2Engine][] = []
  for (const name of argon2EngineNames) {
    const engine = await loadEngine(name).catch(() => undefined)
    if (engine !== undefined) found.push([name, engine])
  }
  return found
}
