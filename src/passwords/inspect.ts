import type { PasswordInspection } from './password-hasher.ts'
import { isPeppered } from './pepper.ts'
import type { ReadHash } from './read-stored.ts'

const UNKNOWN = { cost: '', wrapped: false, belowFloor: false }

/** Tells the scheme and cost of stored text. Computes nothing. */
export function inspectStored(stored: string, read: (stored: string) => ReadHash | undefined): PasswordInspection {
  if (isPeppered(stored)) return { ...UNKNOWN, scheme: 'peppered' }
  if (/^$|^[!*]/.test(stored)) return { ...UNKNOWN, scheme: 'unusable' }
  const hash = read(stored)
  if (hash === undefined) return { ...UNKNOWN, scheme: 'unreadable' }
  const { scheme, cost, wrapped, belowFloor } = hash
  return { scheme, cost, wrapped, belowFloor }
}
