import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { assertFlag, assertObject } from '../../bytes.ts'
import { InvalidInputError } from '../../errors.ts'
import type { OldFormat } from '../old-format.ts'
import { assertKeys, checkedFormat } from './checked-format.ts'
import { assertMac, hmac256, malformed, openGcm, plaintextOf, sealGcm, strictBase64 } from './decipher.ts'

/** How Laravel was set up. */
export interface LaravelOptions {
  /** `APP_KEY` and the keys of `APP_PREVIOUS_KEYS`: `base64:…`, of 32 bytes. Each is tried, as the format names none; the first one seals. */
  readonly keys: readonly string[]
  /** `cipher` of `config/app.php`; `aes-256-cbc` by default. */
  readonly cipher?: 'aes-256-cbc' | 'aes-256-gcm'
  /** Whether values were serialized, as `Crypt::encrypt` does; `Crypt::encryptString` and the cast `encrypted` do not. */
  readonly serialize?: boolean
}

/**
 * What `Crypt` of Laravel writes: base64 of JSON with `iv`, `value`, `mac` and `tag`. AES-256-CBC with HMAC-SHA-256, or
 * AES-256-GCM.
 *
 * @throws InvalidInputError when a key is not one
 */
export function laravelFormat(options: LaravelOptions): OldFormat {
  assertObject(options, 'the options')
  const { keys, cipher = 'aes-256-cbc', serialize = false } = options
  assertFlag(serialize, 'serialize')
  assertKeys(keys, 'Laravel keys')
  if (cipher !== 'aes-256-cbc' && cipher !== 'aes-256-gcm')
    throw new InvalidInputError('cipher must be aes-256-cbc or aes-256-gcm')
  const known = keys.map(keyOf)
  const open = cipher === 'aes-256-gcm' ? openAead : openCbc
  return checkedFormat({
    name: 'laravel',
    open(stored) {
      const payload = JSON.parse(strictBase64(stored).toString('utf8')) as Payload
      const plain = firstThatOpens(known, (key) => open(key, payload))
      return plaintextOf(serialize ? unserialize(plain) : plain)
    },
    seal(plaintext) {
      const bytes = Buffer.from(plaintext)
      const plain = serialize
        ? Buffer.concat([Buffer.from(`s:${bytes.byteLength}:"`), bytes, Buffer.from('";')])
        : bytes
      const payload = (cipher === 'aes-256-gcm' ? sealAead : sealCbc)(known[0] as Buffer, plain)
      return Buffer.from(JSON.stringify(payload)).toString('base64')
    },
  })
}

/** All of base64, but for the MAC, which is hexadecimal. */
interface Payload {
  readonly iv: string
  readonly value: string
  readonly mac: string
  readonly tag: string
}

function openCbc(key: Buffer, { iv, value, mac, tag = '' }: Payload): Buffer {
  if (tag !== '' || typeof mac !== 'string' || !/^[0-9a-f]{64}$/.test(mac)) throw malformed()
  const [nonce, ciphertext] = [strictBase64(iv), strictBase64(value)]
  if (nonce.byteLength !== 16) throw malformed()
  assertMac(Buffer.from(mac, 'hex'), hmac256(key, iv, value))
  const decipher = createDecipheriv('aes-256-cbc', key, nonce)
  return Buffer.concat([decipher.update(ciphertext), decipher.final()])
}

function sealCbc(key: Buffer, plaintext: Buffer): Payload {
  const nonce = randomBytes(16)
  const cipher = createCipheriv('aes-256-cbc', key, nonce)
  const iv = nonce.toString('base64')
  const value = Buffer.concat([cipher.update(plaintext), cipher.final()]).toString('base64')
  return { iv, value, mac: hmac256(key, iv, value).toString('hex'), tag: '' }
}

function openAead(key: Buffer, { iv, value, tag }: Payload): Buffer {
  return openGcm(key, strictBase64(iv), strictBase64(value), strictBase64(tag))
}

function sealAead(key: Buffer, plaintext: Buffer): Payload {
  const nonce = randomBytes(12)
  const { ciphertext, tag } = sealGcm(key, nonce, plaintext)
  return { iv: nonce.toString('base64'), value: ciphertext.toString('base64'), mac: '', tag: tag.toString('base64') }
}

/** Scalars of PHP's `serialize`, as text. Nothing else is read: an object would be code of another program. */
function unserialize(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  const [, length, body] = /^s:(\d{1,10}):"([\s\S]*)";$/.exec(text) ?? []
  if (length !== undefined && body !== undefined && Number(length) === body.length) return Buffer.from(body, 'latin1')
  const [, number] = /^[id]:(-?[0-9.]{1,40}(?:E[+-]?\d{1,4})?);$/.exec(text) ?? []
  if (number !== undefined) return Buffer.from(number)
  const [, truth] = /^b:([01]);$/.exec(text) ?? []
  if (truth !== undefined) return Buffer.from(truth === '1' ? 'true' : 'false')
  throw malformed()
}

function firstThatOpens<Key>(keys: readonly Key[], open: (key: Key) => Buffer): Buffer {
  for (const key of keys) {
    try {
      return open(key)
    } catch {} // the next key
  }
  throw malformed()
}

function keyOf(text: string): Buffer {
  const [, encoded = ''] = /^(?:base64:)?([A-Za-z0-9+/]{43}=)$/.exec(text) ?? []
  const key = Buffer.from(encoded, 'base64')
  if (key.byteLength !== 32) throw new InvalidInputError('a Laravel key is base64: and 32 bytes as base64')
  return key
}
