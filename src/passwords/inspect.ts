import { assertText } from '../bytes.ts'
import { argon2Presets } from './argon2-parameters.ts'
import { legacySchemes } from './legacy/index.ts'
import { isPeppered } from './pepper.ts'
import { storedReader } from './read-stored.ts'
import type { LegacyScheme } from './stored-hash.ts'

/** What can be told about a stored password without any password. */
export interface PasswordInspection {
  /** For example `argon2id`, `bcrypt`, `peppered`, `unusable` (nobody can log in) or `unreadable`. */
  readonly scheme: string
  /** For example `m=65536,t=3,p=1` or `cost=10`; of a wrapped hash, the old one's. */
  readonly cost: string
  /** An old hash under Argon2id. */
  readonly wrapped: boolean
  /** Neither Argon2id at the OWASP minimum or above, nor wrapped by it, nor peppered. */
  readonly belowFloor: boolean
}

/** Tells the scheme and cost of stored text. Computes nothing. */
export function inspectPassword(stored: string, legacy: readonly LegacyScheme[] = legacySchemes): PasswordInspection {
  assertText(stored, 'the stored hash')
  const unknown = { cost: '', wrapped: false, belowFloor: false }
  if (isPeppered(stored)) return { ...unknown, scheme: 'peppered' }
  if (/^$|^[!*]/.test(stored)) return { ...unknown, scheme: 'unusable' }
  const read = storedReader({ current: argon2Presets.default, legacy, run: neverRun })
  const hash = read(stored)
  if (hash === undefined) return { ...unknown, scheme: 'unreadable' }
  const { scheme, cost, wrapped, belowFloor } = hash
  return { scheme, cost, wrapped, belowFloor }
}

function neverRun(): never {
  throw new Error('an inspection computes nothing')
}
