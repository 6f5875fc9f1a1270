import type { KeyStore } from '../key-store.ts'
import { type Finding, finding, messageOf } from './finding.ts'

const TOLERATED_MS = 5_000
const BROKEN_MS = 60_000
const PAGE = 1000

/**
 * Compares this machine's clock with the newest entry of the key log, which no clock may be behind, and, where a
 * reference is given, with that.
 *
 * @param reference the time somewhere else, as exact as a second
 */
export async function examineClock(
  store: KeyStore,
  now: () => Date,
  reference?: () => Promise<Date>,
): Promise<Finding[]> {
  return [await compareWithLog(store, now), ...(reference ? [await compareWith(reference, now)] : [])]
}

async function compareWithLog(store: KeyStore, now: () => Date): Promise<Finding> {
  try {
    let newest = 0
    let after = 0
    let entries: Awaited<ReturnType<KeyStore['log']>>
    do {
      entries = await store.log(after, PAGE)
      after += entries.length
      for (const { at } of entries) newest = Math.max(newest, Date.parse(at))
    } while (entries.length === PAGE)
    return verdict('the key log', newest - now().getTime(), 'is not behind the newest change of the key log')
  } catch (error) {
    return finding('clock', 'the key log', 'skipped', messageOf(error))
  }
}

async function compareWith(reference: () => Promise<Date>, now: () => Date): Promise<Finding> {
  try {
    const before = now().getTime()
    const there = (await reference()).getTime()
    const here = (before + now().getTime()) / 2
    return verdict('the reference', Math.abs(there - here), 'agrees with the reference')
  } catch (error) {
    return finding('clock', 'the reference', 'skipped', messageOf(error))
  }
}

function verdict(subject: string, off: number, good: string): Finding {
  if (!(off > TOLERATED_MS)) return finding('clock', subject, 'ok', `the clock of this machine ${good}`)
  const message = `the clock of this machine is off by ${Math.round(off / 1000)} s`
  const hint = 'synchronise it (NTP): leases, expiry and the signatures of cloud services depend on it'
  return finding('clock', subject, off > BROKEN_MS ? 'problem' : 'warning', message, { hint })
}
