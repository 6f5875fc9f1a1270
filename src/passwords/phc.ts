import { Buffer } from 'node:buffer'

/** A password hash string `$id$v=19$name=value,…$salt$hash`, taken apart. C2SP phc-strings. */
export interface PhcString {
  readonly id: string
  readonly version: number | undefined
  /** In the order of the string; each name once. */
  readonly params: ReadonlyMap<string, string>
  readonly salt: Buffer
  readonly hash: Buffer
}

/** The longest stored password that is looked at, in characters. */
export const MAX_STORED_LENGTH = 1024

const ID = /^[a-z0-9-]{1,32}$/
const PARAM = /^([a-z0-9-]{1,32})=([a-zA-Z0-9/+.-]{1,128})$/

/**
 * Parses a PHC string that has a salt and a hash, strictly: the one text that `encodePhc` would write for it.
 *
 * @returns undefined when it is anything else
 */
export function parsePhc(text: string): PhcString | undefined {
  if (text.length > MAX_STORED_LENGTH) return undefined
  const [empty, id, ...fields] = text.split('$')
  if (empty !== '' || id === undefined || !ID.test(id)) return undefined
  const version = fields[0]?.startsWith('v=') ? parseDecimal((fields.shift() as string).slice(2)) : null
  if (version === undefined) return undefined
  const params = fields.length === 3 ? parseParams(fields.shift() as string) : new Map<string, string>()
  if (params === undefined || fields.length !== 2) return undefined
  const [salt, hash] = fields.map((field) => (field === '' ? undefined : parseB64(field)))
  if (salt === undefined || hash === undefined) return undefined
  return { id, version: version ?? undefined, params, salt, hash }
}

/** Writes a PHC string; the params come out in the order of the map. */
export function encodePhc(phc: PhcString): string {
  const params = [...phc.params].map(([name, value]) => `${name}=${value}`).join(',')
  const fields = [phc.version === undefined ? '' : `v=${phc.version}`, params, encodeB64(phc.salt), encodeB64(phc.hash)]
  return ['', phc.id, ...fields.filter((field) => field !== '')].join('$')
}

/** A decimal number without sign or leading zeros, at most ten digits; undefined for any other text. */
export function parseDecimal(text: string): number | undefined {
  return /^(0|[1-9][0-9]{0,9})$/.test(text) ? Number(text) : undefined
}

/** Standard base64 without padding, the "B64" of PHC strings, strictly. */
export function parseB64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return encodeB64(bytes) === text ? bytes : undefined
}

/** Standard base64 without padding. */
export function encodeB64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64').replaceAll('=', '')
}

function parseParams(text: string): Map<string, string> | undefined {
  const params = new Map<string, string>()
  for (const part of text.split(',')) {
    const match = PARAM.exec(part)
    if (match === null || params.has(match[1] as string)) return undefined
    params.set(match[1] as string, match[2] as string)
  }
  return params
}
