import { Buffer } from 'node:buffer'
import { createHash, pbkdf2Sync, randomBytes } from 'node:crypto'
import { deflateSync, inflateSync } from 'node:zlib'
import { assertFlag, assertObject, assertText } from '../../bytes.ts'
import { InvalidInputError } from '../../errors.ts'
import type { OldFormat } from '../old-format.ts'
import { assertKeys, checkedFormat } from './checked-format.ts'
import { hmac256, MAX_STORED, malformed, openGcm, plaintextOf, sealGcm, strictBase64 } from './decipher.ts'

/** How Active Record Encryption was set up. */
export interface RailsOptions {
  /**
   * `primary_key`, all of them, or `deterministic_key` for attributes that are `deterministic: true`. Values of several
   * keys are tried one after the other, unless they name their key; the last one seals, as in Rails.
   */
  readonly keys: readonly string[]
  /** `key_derivation_salt` */
  readonly salt: string
  /** `hash_digest_class`: `sha256` since Rails 7.1, `sha1` before. */
  readonly digest?: 'sha256' | 'sha1'
  /** Whether equal values were encrypted to equal ciphertexts; only for sealing in a rollback. */
  readonly deterministic?: boolean
}

const ITERATIONS = 65_536
const HEADERS = new Set(['iv', 'at', 'c', 'i'])
/** Rails compresses what is longer. */
const COMPRESSED_FROM = 140
const MAX_PLAINTEXT = 16 * 1024 * 1024

/**
 * What Active Record Encryption of Rails 7 and newer writes: JSON with the payload `p` and headers `h`, AES-256-GCM under keys
 * of PBKDF2, compressed where they are long. Envelope encryption, MessagePack and encodings other than UTF-8 are not read.
 *
 * @throws InvalidInputError when an option is not one
 */
export function railsFormat(options: RailsOptions): OldFormat {
  assertObject(options, 'the options')
  const { keys, salt, digest = 'sha256', deterministic = false } = options
  assertKeys(keys, 'the keys of Rails')
  assertText(salt, 'salt')
  assertFlag(deterministic, 'deterministic')
  if (digest !== 'sha256' && digest !== 'sha1') throw new InvalidInputError('digest must be sha256 or sha1')
  const known = keys.map((key) => {
    if (key === '') throw new InvalidInputError('a key of Rails must not be empty')
    const secret = pbkdf2Sync(key, salt, ITERATIONS, 32, digest)
    return { secret, id: createHash('sha1').update(secret).digest('hex').slice(0, 4) }
  })
  return checkedFormat({
    name: 'rails',
    open(stored) {
      if (stored.length > MAX_STORED) throw malformed()
      const { p, h } = JSON.parse(stored) as { p: unknown; h: Headers }
      // Headers are not authenticated: one that is not known may change what the payload means.
      if (typeof h !== 'object' || h === null || Object.keys(h).some((name) => !HEADERS.has(name))) throw malformed()
      const [payload, iv, tag] = [strictBase64(p), strictBase64(h.iv), strictBase64(h.at)]
      const id = h.i === undefined ? undefined : strictBase64(h.i).toString('latin1')
      const candidates = id === undefined ? known : known.filter((key) => key.id === id)
      for (const { secret } of candidates) {
        let plain: Buffer
        try {
          plain = openGcm(secret, iv, payload, tag)
        } catch {
          continue // the next key
        }
        return plaintextOf(h.c === true ? inflateSync(plain, { maxOutputLength: MAX_PLAINTEXT }) : plain)
      }
      throw malformed()
    },
    seal(plaintext) {
      const bytes = Buffer.from(plaintext)
      const { secret } = known.at(-1) as (typeof known)[number]
      const isLong = bytes.byteLength > COMPRESSED_FROM
      const body = isLong ? deflateSync(bytes) : bytes
      const iv = deterministic ? hmac256(secret, body).subarray(0, 12) : randomBytes(12)
      const { ciphertext, tag } = sealGcm(secret, iv, body)
      const h = { iv: iv.toString('base64'), at: tag.toString('base64'), ...(isLong && { c: true }) }
      return JSON.stringify({ p: ciphertext.toString('base64'), h })
    },
  })
}

interface Headers {
  readonly iv?: unknown
  readonly at?: unknown
  /** Compressed. */
  readonly c?: unknown
  /** The id of the key, where Rails was told to store it. */
  readonly i?: unknown
}
