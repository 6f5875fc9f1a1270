import type { Speed } from './measure.ts'

/** A number that must not be missed. */
export type Target = { readonly atLeast: number } | { readonly atMost: number }

/** One line of the table. */
export interface Result {
  /** The target it belongs to, for example `P1`. */
  readonly id: string
  readonly what: string
  /** As it is printed, with its unit. */
  readonly measured: string
  /** What is held against the target; undefined for lines that are only shown. */
  readonly value?: number
  readonly target?: Target
  /** Why there is no measurement. */
  readonly missing?: string
}

/** What every suite is told. */
export interface SuiteOptions {
  /** Small sizes and few rounds: shows that the suite works, not how fast the code is. */
  readonly quick: boolean
  /** Whether the libraries of others may be loaded. */
  readonly peers: boolean
  /** Adds what takes minutes and tens of gigabytes of disk. */
  readonly large?: boolean
}

/** One file of benchmarks. */
export type Suite = (options: SuiteOptions) => Promise<Result[]>

/** Whether a result is as it should be; undefined when it has no target. */
export function isMet({ value, target }: Result): boolean | undefined {
  if (target === undefined || value === undefined) return undefined
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
}

/** A line that shows a speed beside that of another contender. */
export function speedLine(id: string, speed: Speed, times?: number, target?: Target): Result {
  const perSecond = `${Math.round(speed.perSecond).toLocaleString('en')} /s`
  const measured = times === undefined ? perSecond : `${perSecond}  ${times.toFixed(2)} ×`
  return {
    id,
    what: speed.name,
    measured,
    ...(times === undefined ? {} : { value: times }),
    ...(target === undefined ? {} : { target }),
  }
}
