import { assertObject, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import type { KeyPurpose, KeyRecord } from '../key-store.ts'
import { type Finding, finding } from './finding.ts'

/** How old an active key of each purpose may be, in days. */
export type MaxAgeDays = Readonly<Record<KeyPurpose, number>>

/** Specification section 4.3, after SP 800-57 part 1 section 5.3. */
export const MAX_AGE_DAYS: MaxAgeDays = { root: 30, data: 90, index: 365, pepper: 365 }

/** The ages of a policy, with what it leaves out. @throws InvalidInputError when one is no number of days, or of no purpose */
export function agesOf(given: Partial<MaxAgeDays> = {}): MaxAgeDays {
  assertObject(given, 'maxAgeDays')
  const ages: Record<string, number> = { ...MAX_AGE_DAYS }
  for (const [purpose, days] of Object.entries(given)) {
    if (days === undefined) continue
    if (!Object.hasOwn(MAX_AGE_DAYS, purpose) || typeof days !== 'number' || !(days >= 0)) {
      const purposes = Object.keys(MAX_AGE_DAYS).join(', ')
      throw new InvalidInputError(
        `maxAgeDays must be days for ${purposes}, received ${describe(days)} for ${JSON.stringify(purpose)}`,
      )
    }
    ages[purpose] = days
  }
  return ages as MaxAgeDays
}

const DAY_MS = 86_400_000
const SOON_DAYS = 14
const ALMOST = 0.9

/** Gathers the ages of active keys, one record at a time, so that a million keys need no memory. */
export class AgeCheck {
  readonly #maxDays: MaxAgeDays
  readonly #now: number
  readonly #oldest = new Map<KeyPurpose, { days: number; id: string; overdue: number }>()
  #ending = 0
  #ended = 0

  constructor(maxDays: MaxAgeDays, now: Date) {
    this.#maxDays = maxDays
    this.#now = now.getTime()
  }

  add(record: Pick<KeyRecord, 'id' | 'purpose' | 'createdAt' | 'expiresAt'>): void {
    const days = (this.#now - Date.parse(record.createdAt)) / DAY_MS
    const known = this.#oldest.get(record.purpose)
    const overdue = (known?.overdue ?? 0) + Number(days > this.#maxDays[record.purpose])
    const oldest = known !== undefined && known.days >= days ? known : { days, id: record.id }
    this.#oldest.set(record.purpose, { days: oldest.days, id: oldest.id, overdue })
    if (record.expiresAt === null) return
    const left = (Date.parse(record.expiresAt) - this.#now) / DAY_MS
    if (left <= 0) this.#ended++
    else if (left <= SOON_DAYS) this.#ending++
  }

  findings(): Finding[] {
    const found = [...this.#oldest].map(([purpose, { days, id, overdue }]) => {
      const max = this.#maxDays[purpose]
      const hint = `rotate ${purpose} keys`
      const age = `the oldest active ${purpose} key is ${Math.floor(days)} days old`
      if (overdue > 0) {
        const message = `${overdue} active ${purpose} ${overdue === 1 ? 'key is' : 'keys are'} older than ${max} days; ${age} (${id})`
        return finding('keys.age', purpose, 'problem', message, { hint })
      }
      const soon = days > max * ALMOST
      return finding('keys.age', purpose, soon ? 'warning' : 'ok', `${age}, of ${max} allowed`, {
        hint: soon ? hint : undefined,
      })
    })
    if (this.#ended > 0) {
      const message = `${this.#ended} active ${this.#ended === 1 ? 'key has' : 'keys have'} reached their end and encrypt nothing`
      found.push(finding('keys.expiry', 'all', 'problem', message, { hint: 'rotate their scopes' }))
    } else if (this.#ending > 0) {
      const message = `${this.#ending} active ${this.#ending === 1 ? 'key ends' : 'keys end'} within ${SOON_DAYS} days`
      found.push(finding('keys.expiry', 'all', 'warning', message, { hint: 'rotate their scopes' }))
    }
    return found
  }
}
