import { LRUCache } from 'lru-cache'
import { asBuffer } from '../bytes.ts'
import { holdingAtMost } from '../lru-bound.ts'
import { planSeal, type SealOptions, type SealPlan } from './seal-options.ts'

const ENTRIES = 1000

/** A plan, and a text that is equal for two messages exactly when suite, context and `unstored` are. */
export interface NamedSealPlan extends SealPlan {
  readonly id: string
}

/** Remembers what options came to, because small messages spend much of their time on checking and sorting the same context. */
export class SealPlans {
  readonly #application: string | undefined
  readonly #plans = new LRUCache<string, NamedSealPlan>(holdingAtMost(ENTRIES))

  constructor(application: string | undefined) {
    this.#application = application
  }

  /** @throws InvalidInputError as `planSeal` */
  of(options: SealOptions): NamedSealPlan {
    const id = identify(options)
    if (id === undefined) return named(planSeal(options, this.#application))
    const known = this.#plans.get(id)
    if (known !== undefined) return known
    const plan = named(planSeal(options, this.#application))
    this.#plans.set(id, plan)
    return plan
  }
}

function named(plan: SealPlan): NamedSealPlan {
  const [whole, unstored] = [asBuffer(plan.whole).toString('latin1'), asBuffer(plan.unstored).toString('latin1')]
  return { ...plan, id: `${plan.suite.id} ${unstored.length} ${unstored}${whole}` }
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
