import { assertDate } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import type { KeyStore } from '../key-store.ts'
import { type Finding, finding, messageOf } from './finding.ts'
import { timed } from './timed.ts'

const TOLERATED_MS = 5_000
const BROKEN_MS = 60_000
const PAGE = 1000

/** Compares this machine's clock with the newest entry of the key log, which no clock may be behind. */
export async function compareWithLog(store: KeyStore, now: () => Date, timeoutMs: number): Promise<Finding> {
  const newest = await timed(timeoutMs, () => newestEntry(store))
  if ('error' in newest) return finding('clock', 'the key log', 'skipped', messageOf(newest.error))
  return verdict('the key log', newest.value - now().getTime(), 'is not behind the newest change of the key log')
}

/** Compares it with the time somewhere else, as exact as a second. */
export async function compareWithReference(
  reference: () => Promise<Date>,
  now: () => Date,
  timeoutMs: number,
): Promise<Finding> {
  const before = now().getTime()
  const there = await timed(timeoutMs, async () => dateOf(await reference(), 'what reference gives'))
  if ('error' in there) return finding('clock', 'the reference', 'skipped', messageOf(there.error))
  const here = (before + now().getTime()) / 2
  return verdict('the reference', Math.abs(there.value.getTime() - here), 'agrees with the reference')
}

/** @throws InvalidInputError when it is no valid Date */
export function dateOf(value: unknown, name: string): Date {
  assertDate(value, name)
  if (value === undefined) throw new InvalidInputError(`${name} must be a valid Date, received undefined`)
  return value
}

async function newestEntry(store: KeyStore): Promise<number> {
  let newest = 0
  let after = 0
  let entries: Awaited<ReturnType<KeyStore['log']>>
  do {
    entries = await store.log(after, PAGE)
    after += entries.length
    for (const { at } of entries) newest = Math.max(newest, Date.parse(at))
  } while (entries.length === PAGE)
  return newest
}

function verdict(subject: string, off: number, good: string): Finding {
  if (!(off > TOLERATED_MS)) return finding('clock', subject, 'ok', `the clock of this machine ${good}`)
  const message = `the clock of this machine is off by ${Math.round(off / 1000)} s`
  const hint = 'synchronise it (NTP): leases, expiry and the signatures of cloud services depend on it'
  return finding('clock', subject, off > BROKEN_MS ? 'problem' : 'warning', message, { hint })
}
