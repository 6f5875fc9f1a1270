import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { assertObject, assertText, equalBytes, wipe } from '../bytes.ts'
import { encodeContext } from '../crypto/context.ts'
import { InvalidInputError } from '../errors.ts'
import { AAD_CONTEXT_AT, AAD_LABEL, keyIdOf, parseField } from '../format/field.ts'
import { encodeTypedPlaintext, parseTypedPlaintext } from '../format/typed-value.ts'
import { DataKey } from './data-key.ts'
import type { Keyring } from './keyring.ts'
import { encodeScope } from './scope.ts'

/** What a report says: plain JSON, with its kind and the name of the Strongroom. */
export interface ReportBody {
  /** What kind of report it is, for example `shred`. */
  readonly kind: string
  /** The name of the Strongroom. */
  readonly store: string
}

/** A report and what proves it. */
export type Proved<Body extends ReportBody> = Body & { readonly proof: string }

/** Whether a report is as it was made. */
export type ReportVerdict =
  | { readonly genuine: true; readonly keyId: string }
  | { readonly genuine: false; readonly why: string }

/** The bucket whose key proves reports. It encrypts nothing else, and outlives root keys. */
export const REPORTS_BUCKET = 'strongroom.reports'

const MAX_DEPTH = 64
const MAX_KIND = 64

/** The canonical scope of the key that proves reports. */
export function reportsScope(name: string): string {
  return encodeScope({ bucket: REPORTS_BUCKET }, name)
}

/**
 * Proves a report: encrypts its digest under a key of this Strongroom. It shows that whoever made the report could use
 * the keys, and that no character was changed since. Specification section 4.8.
 *
 * @param keyring holds the key of `reportsScope`
 */
export function proveReport<Body extends ReportBody>(keyring: Keyring, body: Body): Proved<Body> {
  const plain = plainReport(body)
  const digest = encodeTypedPlaintext(digestOf(plain), 'bytes', 'none')
  try {
    const key = keyring.active('data', reportsScope(keyring.name))
    return { ...plain, proof: key.encryptText(digest, aadOf(plain)) }
  } finally {
    wipe(digest)
  }
}

/** A copy of what JSON makes of a report. */
function plainReport<Body extends ReportBody>(body: Body): Body {
  assertObject(body, 'a report')
  assertText(body.kind, 'the kind of a report')
  if (body.kind === '' || body.kind.length > MAX_KIND) {
    throw new InvalidInputError(`the kind of a report must have 1 to ${MAX_KIND} characters`)
  }
  assertText(body.store, 'the store of a report')
  try {
    return JSON.parse(JSON.stringify(body, finite)) as Body
  } catch {
    throw new InvalidInputError('a report must be plain JSON: it holds a bigint, NaN, an infinity, or itself')
  }
}

/** JSON has no such number and would say null, which is then what is proved. */
function finite(_: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new InvalidInputError('no number of JSON')
  return value
}

/** Checks a report that was read from JSON. @throws InvalidInputError when it is none */
export async function verifyReport(keyring: Keyring, report: unknown): Promise<ReportVerdict> {
  const { proof, ...body } = asReport(report)
  const no = (why: string): ReportVerdict => ({ genuine: false, why })
  if (body.store !== keyring.name) return no(`it is of the Strongroom ${JSON.stringify(body.store)}`)
  const field = Buffer.from(parseField(proof) ?? '')
  if (field.byteLength === 0) return no('its proof is none')
  const keyId = keyIdOf(field)
  await keyring.load([keyId])
  const key = keyring.find(keyId)
  if (!(key instanceof DataKey)) return no(`key ${keyId} is not in the key store, or out of use`)
  if (key.purpose !== 'data' || key.scope !== reportsScope(keyring.name)) return no('its proof is of another key')
  const plaintext = key.decrypt(field, aadOf(body))
  const digest = plaintext && parseTypedPlaintext(plaintext, 'bytes')?.value
  const same = digest instanceof Uint8Array && equalBytes(digest, digestOf(body))
  return same ? { genuine: true, keyId } : no('it was changed since it was made')
}

function aadOf({ kind, store }: ReportBody): Buffer {
  const context = encodeContext({ app: store, kind, purpose: 'report' })
  const aad = Buffer.alloc(AAD_CONTEXT_AT + context.byteLength)
  AAD_LABEL.copy(aad)
  context.copy(aad, AAD_CONTEXT_AT)
  return aad
}

function digestOf(body: ReportBody): Buffer {
  return createHash('sha256').update(canonicalJson(body)).digest()
}

/** JSON without spaces, the names of every object in the order of their UTF-16 code units. RFC 8785 for what reports hold. */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) throw new InvalidInputError('a report is not nested so deeply')
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`
  if (typeof value === 'bigint') throw new InvalidInputError('a report is plain JSON: it holds a bigint')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const names = Object.keys(value).sort()
  const pairs = names.map((name) => `${JSON.stringify(name)}:${canonicalJson((value as never)[name], depth + 1)}`)
  return `{${pairs.join(',')}}`
}

function asReport(report: unknown): Proved<ReportBody> {
  const { kind, store, proof } = (report ?? {}) as Partial<Proved<ReportBody>>
  if (
    typeof kind === 'string' &&
    kind !== '' &&
    kind.length <= MAX_KIND &&
    typeof store === 'string' &&
    typeof proof === 'string'
  )
    return report as Proved<ReportBody>
  throw new InvalidInputError('a report is an object with kind, store and proof')
}
