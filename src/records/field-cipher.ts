import { wipe } from '../bytes.ts'
import { DecryptionError, InvalidInputError, KeyUnavailableError, MigrationExpiredError } from '../errors.ts'
import { looksEncrypted } from '../format/field.ts'
import { parseJson } from '../format/json.ts'
import { encodeTypedPlaintext, parseTypedPlaintext } from '../format/typed-value.ts'
import type { Clock } from '../keys/clock.ts'
import { DataKey } from '../keys/data-key.ts'
import type { ResidentKey } from '../keys/resident-key.ts'
import { type AllowedState, mayDecrypt } from '../keys/states.ts'
import type { Column } from './compiled-record.ts'

/** Encrypts one value of a column. `aad` comes from the row's context; `together` with the value before, of the same row. @throws InvalidInputError */
export function encryptValue(
  column: Column,
  value: unknown,
  key: DataKey,
  aad: Buffer,
  together = false,
): string | Uint8Array {
  const plaintext = encodeTypedPlaintext(value, column.type, column.padding)
  try {
    return column.binary ? key.encryptBytes(plaintext, aad, together) : key.encryptText(plaintext, aad, together)
  } finally {
    wipe(plaintext)
  }
}

/** Decrypts one parsed value of a column. @throws DecryptionError */
export function decryptValue(column: Column, field: Buffer, key: DataKey, aad: Buffer): unknown {
  const plaintext = key.decrypt(field, aad)
  if (plaintext === undefined) throw new DecryptionError()
  try {
    const parsed = parseTypedPlaintext(plaintext, column.type)
    if (parsed === undefined || (parsed.value === null && !column.nullable)) throw new DecryptionError()
    return parsed.value
  } finally {
    wipe(plaintext)
  }
}

/** A key that may decrypt now. @throws KeyUnavailableError, DecryptionError when it is no key for values */
export function assertDecrypts(key: ResidentKey, clock: Clock, allow: readonly AllowedState[]): asserts key is DataKey {
  if (!(key instanceof DataKey)) throw new DecryptionError()
  if (!mayDecrypt(key.state, allow)) {
    throw new KeyUnavailableError(
      `key ${key.id} is ${key.state}: it decrypts nothing unless that is allowed`,
      key.state,
      key.id,
    )
  }
  if (key.expired(clock)) throw new KeyUnavailableError(`key ${key.id} has reached its end`, 'expired', key.id)
}

/** Checks a value that stays plaintext: one that looks encrypted could not be told from a real one later. @throws InvalidInputError */
export function assertPlain(record: string, column: Column, value: unknown): void {
  if (looksEncrypted(value)) {
    throw new InvalidInputError(`${record}.${column.name} looks encrypted already and would be stored as plaintext`)
  }
}

/** Refuses plaintext in a column whose migration is over. @throws MigrationExpiredError */
export function assertMigrating(record: string, column: Column, now: Date): void {
  if (now.getTime() > column.until) {
    throw new MigrationExpiredError(`${record}.${column.name}`, new Date(column.until).toISOString())
  }
}

/** A value that is not encrypted, as its type. @throws DecryptionError when it is of another type */
export function readPlain(column: Column, value: unknown): unknown {
  if (value === null && column.nullable) return null
  const plain = value === null ? undefined : fromDriver[column.type](value)
  if (plain === undefined) throw new DecryptionError()
  return plain
}

/** Drivers give some plaintext types as text; undefined when it is not of the type. */
const fromDriver: Readonly<Record<Column['type'], (value: unknown) => unknown>> = {
  text: (value) => (typeof value === 'string' ? value : undefined),
  bytes: (value) => (value instanceof Uint8Array ? value : undefined),
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  number: (value) => toNumber(value),
  integer: (value) => {
    const number = toNumber(value)
    return Number.isSafeInteger(number) ? number : undefined
  },
  bigint: (value) => {
    if (typeof value === 'bigint') return value
    if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
    return typeof value === 'string' && /^-?\d{1,1000}$/.test(value) ? BigInt(value) : undefined
  },
  date: (value) => {
    const date = value instanceof Date ? value : typeof value === 'string' ? new Date(value) : undefined
    return date === undefined || Number.isNaN(date.getTime()) ? undefined : date
  },
  json: (value) => {
    if (typeof value !== 'string') return value
    return parseJson(value)
  },
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || value.trim() === '') return undefined
  const number = Number(value)
  return Number.isNaN(number) ? undefined : number
}
