import { createHash, createHmac } from 'node:crypto'
import { cmac, gcm } from '@noble/ciphers/aes.js'

/*
 * The format, written from docs/specification.md alone: it imports nothing of the project and shares no library with
 * it but HMAC and SHA-2, so that the vectors are known to follow from the text.
 */

export type Pairs = readonly (readonly string[])[]
export type Padding = 'none' | { min?: number; fixed?: number }

const utf8 = (text: string) => {
  if (!text.isWellFormed()) throw new Error('a lone surrogate')
  return Buffer.from(text, 'utf8')
}
const uint = (value: number, length: 2 | 4) => {
  const out = Buffer.alloc(length)
  out.writeUIntBE(value, 0, length)
  return out
}
const bytesOf = (part: string | Uint8Array) => (typeof part === 'string' ? utf8(part) : part)

/** Section 1.2. */
export function lp(...parts: (string | Uint8Array)[]): Buffer {
  const items = parts.map(bytesOf).flatMap((part) => [uint(part.length, 4), part])
  return Buffer.concat([uint(parts.length, 4), ...items])
}

/** Section 2.1. */
export function encodeContext(pairs: Pairs): Buffer {
  if (pairs.length > 64) throw new Error('too many pairs')
  for (const [name = ''] of pairs) {
    if (name === '' || (name.startsWith('aws-crypto-') && name !== 'aws-crypto-public-key')) throw new Error('a name')
  }
  if (pairs.length === 0) return Buffer.alloc(0)
  const encoded = pairs.map(([name = '', value = '']) => [utf8(name), utf8(value)] as const)
  encoded.sort(([a], [b]) => Buffer.compare(a, b))
  const parts = encoded.flatMap((pair) => pair.flatMap((part) => [uint(part.length, 2), part]))
  const out = Buffer.concat([uint(pairs.length, 2), ...parts])
  if (out.length > 8192) throw new Error('too long')
  return out
}

export interface IdPart {
  text?: string
  integer?: string
  bigint?: string
  bytes?: string
}

/** Section 2.3. */
export function rowText(id: readonly IdPart[]): string {
  const texts = id.map(({ text, integer, bigint, bytes }) => {
    const uuid = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/
    return text === undefined ? ((integer ?? bigint ?? bytes) as string) : uuid.test(text) ? text.toLowerCase() : text
  })
  if (texts.length === 1) return texts[0] as string
  const short: Record<string, string> = {
    '"': '\\"',
    '\\': '\\\\',
    '\b': '\\b',
    '\t': '\\t',
    '\n': '\\n',
    '\f': '\\f',
    '\r': '\\r',
  }
  const quote = (text: string) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
    `"${text.replace(/["\\\u0000-\u001f]/g, (c) => short[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`
  return `[${texts.map(quote).join(',')}]`
}

/** Section 2.2. */
export function rowContext(row: { app: string; table: string; column: string; row?: string; tenant?: string }): Buffer {
  const { app, table, column, row: id, tenant } = row
  const pairs = [
    ['app', app],
    ['table', table],
    ['column', column],
  ]
  if (id !== undefined) pairs.push(['row', id])
  if (tenant !== undefined) pairs.push(['tenant', tenant])
  return encodeContext(pairs)
}

/** Section 3.2: XAES-256-GCM with CMAC and AES-GCM of another library. */
function messageKey(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const half = (counter: number) =>
    cmac(Buffer.concat([Buffer.from([0, counter, 0x58, 0]), nonce.subarray(0, 12)]), key)
  return Buffer.concat([half(1), half(2)])
}

export function xaesSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  return gcm(messageKey(key, nonce), nonce.subarray(12), aad).encrypt(plaintext)
}

/** @throws when the tag does not match */
export function xaesOpen(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array {
  return gcm(messageKey(key, nonce), nonce.subarray(12), aad).decrypt(sealed)
}

/** Section 4.1. */
export function derive(secret: Uint8Array, label: string): Buffer {
  return createHmac('sha512', secret)
    .update(label)
    .update(Buffer.from([1]))
    .digest()
    .subarray(0, 32)
}

export const labels = {
  fieldKey: 'strongroom/v1/field/enc',
  commitment: 'strongroom/v1/commit',
  wrapKey: 'strongroom/v1/key/wrap',
  recordMacKey: 'strongroom/v1/key/record',
  logMacKey: 'strongroom/v1/key/log',
} as const

const types: Record<string, number> = {
  text: 1,
  bytes: 2,
  number: 3,
  integer: 3,
  bigint: 4,
  boolean: 5,
  date: 6,
  json: 7,
}

/** Section 3.5. */
export function paddedLength(length: number, padding: { min?: number; fixed?: number }): number {
  if (padding.fixed !== undefined) {
    if (length > padding.fixed) throw new Error('longer than the fixed length')
    return padding.fixed
  }
  const e = Math.floor(Math.log2(length))
  const s = e === 0 ? 0 : Math.floor(Math.log2(e)) + 1
  const unit = 2 ** Math.max(0, e - s)
  const padme = Math.ceil(length / unit) * unit
  return Math.max(padding.min as number, Math.min(padme, 16 * 2 ** 20 + 2))
}

/** Section 3.4. `value` is as the vectors write it. */
export function encodePlaintext(type: string, value: string | boolean | null, padding: Padding): Buffer {
  const payload = value === null ? Buffer.alloc(0) : encodePayload(type, value)
  const typeByte = value === null ? 0 : (types[type] as number)
  if (padding === 'none') return Buffer.concat([Buffer.from([typeByte]), payload])
  const out = Buffer.alloc(paddedLength(payload.length + 2, padding))
  out[0] = typeByte + 128
  payload.copy(out, 1)
  out[1 + payload.length] = 128
  return out
}

function encodePayload(type: string, value: string | boolean): Buffer {
  if (typeof value === 'boolean') return Buffer.from([value ? 1 : 0])
  if (type === 'bytes') return Buffer.from(value, 'hex')
  if (type === 'number' || type === 'integer') {
    if (type === 'integer' && !Number.isSafeInteger(Number(value))) throw new Error('not an integer')
    if (value === 'NaN') return Buffer.from('7ff8000000000000', 'hex')
    const out = Buffer.alloc(8)
    out.writeDoubleBE(Number(value))
    return out
  }
  if (type === 'date') {
    const out = Buffer.alloc(8)
    out.writeBigInt64BE(BigInt(Date.parse(value)))
    return out
  }
  if (type === 'bigint') {
    const digits = BigInt(value.replace('-', '')).toString(16)
    if (value === '-0') throw new Error('a negative zero')
    const magnitude = digits === '0' ? '' : digits.padStart(digits.length + (digits.length % 2), '0')
    return Buffer.from((value.startsWith('-') ? '01' : '00') + magnitude, 'hex')
  }
  if (type === 'json') assertJson(JSON.parse(value), 0)
  return utf8(value)
}

/** Sections 3.4 and 3.6, step 5. @throws when the plaintext is not canonical, or of another type */
export function parsePlaintext(type: string, plaintext: Uint8Array): string | boolean | null {
  const bytes = Buffer.from(plaintext)
  let end = bytes.length
  if (end === 0) throw new Error('empty')
  if ((bytes[0] as number) >= 128) {
    do end--
    while (end > 0 && bytes[end] === 0)
    if (end < 1 || bytes[end] !== 128) throw new Error('no marker')
  }
  const typeByte = (bytes[0] as number) & 127
  const payload = bytes.subarray(1, end)
  if (typeByte === 0) {
    if (payload.length > 0) throw new Error('null with a payload')
    return null
  }
  if (typeByte !== types[type]) throw new Error('another type')
  const value = parsePayload(type, payload)
  // What is canonical is written the same again.
  if (!encodePayload(type, value).equals(payload)) throw new Error('not canonical')
  return value
}

function parsePayload(type: string, payload: Buffer): string | boolean {
  const strict = () => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload)
  switch (type) {
    case 'bytes':
      return payload.toString('hex')
    case 'boolean':
      return payload[0] === 1
    case 'number':
    case 'integer': {
      if (payload.length !== 8) throw new Error('8 bytes')
      const number = payload.readDoubleBE()
      return Object.is(number, -0) ? '-0' : String(number)
    }
    case 'date': {
      const ms = Number(payload.readBigInt64BE())
      return new Date(ms).toISOString()
    }
    case 'bigint': {
      const sign = payload[0] === 1 ? '-' : ''
      return `${sign}${payload.length > 1 ? BigInt(`0x${payload.toString('hex', 1)}`) : 0n}`
    }
    default:
      return strict()
  }
}

function assertJson(value: unknown, depth: number): void {
  if (depth > 64) throw new Error('too deep')
  if (typeof value !== 'object' || value === null) return
  if (Object.hasOwn(value, '__proto__')) throw new Error('__proto__')
  for (const item of Object.values(value)) assertJson(item, depth + 1)
}

/** Section 3.3. */
export function fieldAad(keyId: string, context: Pairs): Buffer {
  return Buffer.concat([
    utf8('strongroom/v1/field'),
    Buffer.from([0, 0xf9]),
    Buffer.from(keyId, 'hex'),
    encodeContext(context),
  ])
}

/** Sections 3.1 and 3.2. */
export function sealField(secret: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, context: Pairs): Buffer {
  const keyId = derive(secret, labels.commitment).toString('hex', 0, 16)
  const sealed = xaesSeal(derive(secret, labels.fieldKey), nonce, plaintext, fieldAad(keyId, context))
  return Buffer.concat([Buffer.from([0xf9]), Buffer.from(keyId, 'hex'), nonce, sealed])
}

/** Section 3.6. @throws whatever is wrong */
export function openField(secret: Uint8Array, field: Uint8Array | string, context: Pairs, type: string) {
  let bytes: Buffer
  if (typeof field === 'string') {
    if (!/^sr1_[A-Za-z0-9_-]*$/.test(field)) throw new Error('the text form')
    bytes = Buffer.from(field.slice(4), 'base64url')
    if (bytes.toString('base64url') !== field.slice(4)) throw new Error('not canonical')
  } else bytes = Buffer.from(field)
  if (bytes.length < 58 || bytes[0] !== 0xf9) throw new Error('not a field')
  const keyId = derive(secret, labels.commitment).toString('hex', 0, 16)
  if (bytes.toString('hex', 1, 17) !== keyId) throw new Error('another key')
  const aad = fieldAad(keyId, context)
  return parsePlaintext(
    type,
    xaesOpen(derive(secret, labels.fieldKey), bytes.subarray(17, 41), bytes.subarray(41), aad),
  )
}

/** Section 4.2.1. */
export function scopeText(store: string, scope: { tenant?: string; subject?: string; bucket?: string }): string {
  const { tenant, subject, bucket, ...others } = scope
  if (Object.keys(others).length > 0) throw new Error('an unknown part')
  const parts: string[] = []
  for (const part of [tenant, subject, bucket])
    if (part !== undefined && (part === '' || part.length > 200)) throw new Error('size')
  if (tenant !== undefined) parts.push(`tenant=${percent(tenant)}`)
  if (subject !== undefined) {
    const digest = createHash('sha256')
      .update(lp('strongroom/v1/subject', store, tenant ?? '', subject))
      .digest()
    parts.push(`subject=${digest.toString('base64url').slice(0, 22)}`)
  }
  if (bucket !== undefined) parts.push(`bucket=${percent(bucket)}`)
  return parts.join(';')
}

function percent(text: string): string {
  const kept = /[A-Za-z0-9_.!~*'()-]/
  return [...utf8(text)]
    .map((byte) =>
      byte < 128 && kept.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')
}

export interface KeyRecord {
  format: number
  id: string
  commitment: string
  store: string
  purpose: string
  scope: string
  generation: number
  parent: string | null
  createdAt: string
  expiresAt: string | null
  wraps: { provider: string; keyId: string; ciphertext: string; wrappedAt: string }[]
  state: string
  stateAt: string
  reason: string | null
  rev: number
  mac: string
}

/** Section 4.2.2. */
export function wrapAad(r: KeyRecord): Buffer {
  return lp(
    'strongroom/v1/key',
    `${r.format}`,
    r.id,
    r.commitment,
    r.store,
    r.purpose,
    r.scope,
    `${r.generation}`,
    r.parent ?? '',
    r.createdAt,
    r.expiresAt ?? '',
  )
}

/** Section 4.4. */
export function recordMac(macKey: Uint8Array, r: KeyRecord): string {
  const wraps = lp(...r.wraps.flatMap((wrap) => [wrap.provider, wrap.keyId, wrap.ciphertext, wrap.wrappedAt]))
  const reason = r.reason === null ? '0' : `1${r.reason}`
  const encoded = lp('strongroom/v1/key/record', wrapAad(r), wraps, r.state, r.stateAt, reason, `${r.rev}`)
  return createHmac('sha256', macKey).update(encoded).digest('hex')
}

export interface LogEntry {
  seq: number
  at: string
  action: string
  changes: { id: string; rev: number; state: string }[]
  previous: string
  hash: string
  root: string
  mac: string
}

/** Section 4.5. @throws when an entry is missing, changed, out of order, or not signed */
export function checkLog(entries: readonly LogEntry[], macKey: Uint8Array, root: string): void {
  let previous = '0'.repeat(64)
  for (const [at, entry] of entries.entries()) {
    const changes = lp(...entry.changes.flatMap(({ id, rev, state }) => [id, `${rev}`, state]))
    const parts = ['strongroom/v1/key/log', `${entry.seq}`, entry.at, entry.action, changes, entry.previous, entry.root]
    const hash = createHash('sha256')
      .update(lp(...parts))
      .digest('hex')
    if (entry.seq !== at + 1 || entry.previous !== previous || entry.hash !== hash) throw new Error('a broken chain')
    previous = hash
  }
  const last = entries.at(-1) as LogEntry
  const mac = createHmac('sha256', macKey).update(lp('strongroom/v1/key/log', last.hash)).digest('hex')
  if (last.root !== root || last.mac !== mac) throw new Error('the MAC')
}
