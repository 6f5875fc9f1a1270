import { LRUCache } from 'lru-cache'
import { planSeal, type SealOptions, type SealPlan } from './seal-options.ts'

const ENTRIES = 1000

/** Remembers what options came to, because small messages spend much of their time on checking and sorting the same context. */
export class SealPlans {
  readonly #application: string | undefined
  readonly #plans = new LRUCache<string, SealPlan>({ max: ENTRIES })

  constructor(application: string | undefined) {
    this.#application = application
  }

  /** @throws InvalidInputError as `planSeal` */
  of(options: SealOptions): SealPlan {
    const id = identify(options)
    if (id === undefined) return planSeal(options, this.#application)
    const known = this.#plans.get(id)
    if (known !== undefined) return known
    const plan = planSeal(options, this.#application)
    this.#plans.set(id, plan)
    return plan
  }
}

/** A text that is the same for equal options alone; undefined for what only `planSeal` can judge. */
function identify({ context, unstored, suite, frameLength }: SealOptions): string | undefined {
  if (unstored !== undefined || context instanceof Map) return undefined
  let id = `${typeof suite}${suite} ${typeof frameLength}${frameLength}`
  if (context === undefined) return id
  if (typeof context !== 'object' || context === null || Array.isArray(context)) return undefined
  for (const name of Object.keys(context)) {
    const value = context[name]
    if (typeof value !== 'string' || id.length > MAX_ID) return undefined
    id += ` ${name.length} ${value.length} ${name}${value}`
  }
  return id
}

const MAX_ID = 16_384
