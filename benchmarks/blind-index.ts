import { Buffer } from 'node:buffer'
import { createHmac, createSecretKey } from 'node:crypto'
import { openTagMaker } from '../src/index/blind-index.ts'
import { storedPart } from '../src/index/searched-value.ts'
import type { TransformName } from '../src/index/transform.ts'
import { resolveTransform } from '../src/index/transforms.ts'

/** One measured line; `ratio` is how many times as fast as a bare createHmac in the same run. */
export interface BlindIndexResult {
  readonly name: string
  readonly nanoseconds: number
  readonly ratio: number
  /** Undefined for lines that are only shown. */
  readonly target?: number
}

/**
 * P3: from a value to its stored tag, beside `createHmac('sha256', KeyObject).update(value).digest()` of the same text.
 * Contenders take turns in short rounds and the fastest round of each counts, so that a busy machine does not decide.
 *
 * @param rounds 200 take about five seconds
 */
export function benchmarkBlindIndex(rounds = 200): BlindIndexResult[] {
  const secret = Buffer.alloc(32, 7)
  const key = createSecretKey(secret)
  const values = Array.from({ length: 1024 }, (_, i) => `Customer.${i}@Example.com`)
  const value = (i: number) => values[i & 1023] as string
  const contenders: [string, (i: number) => Uint8Array][] = [
    ['bare createHmac, KeyObject', (i) => createHmac('sha256', key).update(value(i)).digest()],
    ...(['exact', 'email', 'casefold'] as const).map((name) => contender(name, secret, value)),
  ]
  const fastest = contenders.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < rounds; round++) {
    contenders.forEach(([, run], at) => {
      fastest[at] = Math.min(fastest[at] as number, timeOf(run))
    })
  }
  const bare = fastest[0] as number
  return contenders.map(([name], at) => {
    const nanoseconds = fastest[at] as number
    return { name, nanoseconds, ratio: bare / nanoseconds, ...(at === 0 ? {} : { target: 1 }) }
  })
}

const CALLS = 2_000

function contender(
  name: TransformName,
  secret: Uint8Array,
  value: (i: number) => string,
): [string, (i: number) => Uint8Array] {
  const transform = resolveTransform(name, 'text')
  const maker = openTagMaker(secret, {
    table: 'users',
    column: 'email',
    index: 'email_index',
    transformId: transform.id,
    bits: 17,
  })
  return [`blind index, ${name}`, (i) => maker.tag(1, [storedPart(transform, 'text', value(i), 'email')])]
}

function timeOf(run: (i: number) => Uint8Array): number {
  let kept = 0
  const start = process.hrtime.bigint()
  for (let i = 0; i < CALLS; i++) kept += run(i)[1] as number
  const time = Number(process.hrtime.bigint() - start) / CALLS
  if (kept < 0) throw new Error('unreachable: keeps the work from being optimised away')
  return time
}
