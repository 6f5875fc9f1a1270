import { assertWhole } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'

/** What one Argon2 hash costs. */
export interface Argon2Parameters {
  /** Memory in KiB, the `m` of RFC 9106. */
  readonly memoryKiB: number
  /** Passes over the memory, the `t` of RFC 9106. */
  readonly passes: number
  /** Lanes, the `p` of RFC 9106. */
  readonly parallelism: number
}

/** Named parameters, each with the document it is taken from. */
export const argon2Presets = {
  /** 64 MiB, 3 passes, 1 lane: the memory and passes of RFC 9106's second choice, on one lane because a server hashes many at once. */
  default: { memoryKiB: 65_536, passes: 3, parallelism: 1 },
  /** OWASP Password Storage Cheat Sheet: the least that is accepted. */
  'owasp-minimum': { memoryKiB: 19_456, passes: 2, parallelism: 1 },
  /** RFC 9106 section 4, first recommended option: 2 GiB for each hash. */
  'rfc9106-first': { memoryKiB: 2_097_152, passes: 1, parallelism: 4 },
  /** RFC 9106 section 4, second recommended option, for memory-constrained environments. */
  'rfc9106-second': { memoryKiB: 65_536, passes: 3, parallelism: 4 },
} as const satisfies Record<string, Argon2Parameters>

/** The name of a preset. */
export type Argon2Preset = keyof typeof argon2Presets

/** The pairs that OWASP calls equally strong; parameters that reach none of them are below the floor. */
const OWASP_FLOOR = [
  { memoryKiB: 47_104, passes: 1 },
  { memoryKiB: 19_456, passes: 2 },
  { memoryKiB: 12_288, passes: 3 },
  { memoryKiB: 9_216, passes: 4 },
  { memoryKiB: 7_168, passes: 5 },
]

/** The most that a stored hash may ask for, whatever the configuration: a poisoned row must not stop the service. */
const STORED_LIMITS = { memoryKiB: 1_048_576, passes: 16, parallelism: 16 }

/** Whether parameters are weaker than every choice that OWASP names. */
export function isBelowFloor({ memoryKiB, passes }: Argon2Parameters): boolean {
  return !OWASP_FLOOR.some((floor) => memoryKiB >= floor.memoryKiB && passes >= floor.passes)
}

/** Whether `stored` costs an attacker less than `current`: less memory, or less memory times passes. */
export function isWeaker(stored: Argon2Parameters, current: Argon2Parameters): boolean {
  return stored.memoryKiB < current.memoryKiB || stored.memoryKiB * stored.passes < current.memoryKiB * current.passes
}

/** Whether parameters read from a stored hash may be worked with: what RFC 9106 allows, and no more than our limits or `current`. */
export function isWithinLimits(stored: Argon2Parameters, current: Argon2Parameters): boolean {
  const { memoryKiB, passes, parallelism } = stored
  return (
    parallelism >= 1 &&
    parallelism <= Math.max(STORED_LIMITS.parallelism, current.parallelism) &&
    passes >= 1 &&
    passes <= Math.max(STORED_LIMITS.passes, current.passes) &&
    memoryKiB >= 8 * parallelism &&
    memoryKiB <= Math.max(STORED_LIMITS.memoryKiB, current.memoryKiB)
  )
}

/** Checks parameters for new hashes. @throws InvalidInputError when they are out of range, or below the floor without leave */
export function assertParameters(parameters: Argon2Parameters, allowBelowFloor: boolean): void {
  assertWhole(parameters.parallelism, 'parallelism', 1, 255)
  assertWhole(parameters.passes, 'passes', 1, 1024)
  assertWhole(parameters.memoryKiB, 'memoryKiB', 8 * parameters.parallelism, 4_194_304)
  if (isBelowFloor(parameters) && !allowBelowFloor) {
    const { memoryKiB, passes } = argon2Presets['owasp-minimum']
    throw new InvalidInputError(
      `memoryKiB ${parameters.memoryKiB} with ${parameters.passes} passes is below the OWASP minimum of ${memoryKiB} with ${passes}`,
    )
  }
}
