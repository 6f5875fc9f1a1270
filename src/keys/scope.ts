import { hash } from 'node:crypto'
import { assertObject, assertText, lengthPrefixed } from '../bytes.ts'
import { labels } from '../crypto/kdf.ts'
import { InvalidInputError } from '../errors.ts'

/**
 * Whose data a key protects. The empty scope serves applications that need one key; `tenant` gives every customer a
 * key of its own, `subject` every person (so that one person's data can be erased by destroying one key), `bucket`
 * every period or group (so that a cohort can expire).
 */
export interface KeyScope {
  /** 1 to 200 characters */
  readonly tenant?: string
  /** 1 to 200 characters; the key store holds a hash of it. */
  readonly subject?: string
  /** 1 to 200 characters */
  readonly bucket?: string
}

const MAX_PART = 200
/** What key stores make room for. */
const MAX_TEXT = 1024
const PARTS = ['tenant', 'subject', 'bucket'] as const
const SUBJECT_HASH_LENGTH = 22
const UUID_LENGTH = 36
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** An id as rows have it: a UUID in lower case, as databases return it; any other text as it is. Specification section 2.3. */
export function canonicalId(id: string): string {
  if (id.length !== UUID_LENGTH) return id
  const lower = id.toLowerCase()
  return lower !== id && UUID.test(id) ? lower : id
}

/**
 * The scope under which rows keep what is encrypted for them. `encodeScope` takes its parts as they are, so that what
 * was once encrypted under a scope in upper case is still found.
 */
export function canonicalScope(scope: KeyScope): KeyScope {
  const { tenant, subject } = scope
  return {
    ...scope,
    ...(typeof tenant === 'string' && { tenant: canonicalId(tenant) }),
    ...(typeof subject === 'string' && { subject: canonicalId(subject) }),
  }
}

/**
 * The canonical text of a scope, under which the key store finds its keys: `tenant=acme;subject=…;bucket=2026-11`,
 * values percent-encoded, and the subject replaced by the first 128 bits of its SHA-256, so that the key store names no
 * person. Specification section 4.2.
 *
 * @param storeName the Strongroom's name; hashed with the subject
 * @throws InvalidInputError on unknown parts, other types, empty or long values
 */
export function encodeScope(scope: KeyScope, storeName: string): string {
  assertObject(scope, 'a scope of tenant, subject and bucket')
  for (const part of Object.keys(scope)) {
    if (!PARTS.includes(part as (typeof PARTS)[number])) {
      throw new InvalidInputError(`a scope has tenant, subject and bucket, received ${JSON.stringify(part)}`)
    }
  }
  let text = ''
  if (scope.tenant !== undefined) text = `tenant=${encodePart(scope.tenant, 'tenant')}`
  if (scope.subject !== undefined) {
    assertPart(scope.subject, 'subject')
    text += `${text && ';'}subject=${hashSubject(scope.subject, scope.tenant ?? '', storeName)}`
  }
  if (scope.bucket !== undefined) text += `${text && ';'}bucket=${encodePart(scope.bucket, 'bucket')}`
  if (text.length > MAX_TEXT) {
    throw new InvalidInputError(`a scope must have at most ${MAX_TEXT} characters once it is percent-encoded`)
  }
  return text
}

/** What a canonical scope text says, for people; the subject is its hash. */
export function describeScope(scope: string): string {
  return scope === '' ? 'the empty scope' : scope.split(';').map(decodeURIComponent).join(', ')
}

function encodePart(value: unknown, part: string): string {
  assertPart(value, part)
  return encodeURIComponent(value)
}

function assertPart(value: unknown, part: string): asserts value is string {
  assertText(value, `scope ${part}`)
  if (value.length === 0 || value.length > MAX_PART) {
    throw new InvalidInputError(`scope ${part} must have 1 to ${MAX_PART} characters, received ${value.length}`)
  }
}

function hashSubject(subject: string, tenant: string, storeName: string): string {
  const digest = hash('sha256', lengthPrefixed([labels.subject, storeName, tenant, subject]), 'buffer')
  return digest.toString('base64url').slice(0, SUBJECT_HASH_LENGTH)
}
