import { Buffer } from 'node:buffer'
import { createHash, randomBytes } from 'node:crypto'
import { assertFlag, assertObject } from '../../bytes.ts'
import { InvalidInputError } from '../../errors.ts'
import type { OldFormat } from '../old-format.ts'
import { assertKeys, checkedFormat } from './checked-format.ts'
import {
  MAX_STORED,
  malformed,
  openGcm,
  paddedBase64,
  plaintextOf,
  sealGcm,
  strictBase64,
  TAG_LENGTH,
} from './decipher.ts'

const KEY = /^k1\.aesgcm256\.([A-Za-z0-9_-]{43}=?)$/
const PREFIX = 'v1.aesgcm256.'
const STORED = /^v1\.aesgcm256\.([0-9a-f]{8})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22,}={0,2})$/

/** What `@47ng/cloak` or `prisma-field-encryption` wrote with. */
export interface CloakOptions {
  /** `k1.aesgcm256.…`, as in `CLOAK_MASTER_KEY` and the keychain; the first one seals in a rollback. */
  readonly keys: readonly string[]
  /** Take what is not encrypted for plaintext, as `prisma-field-encryption` did without `mode=strict`. False by default. */
  readonly plaintext?: boolean
}

/**
 * What `@47ng/cloak` and `prisma-field-encryption` write: `v1.aesgcm256.<key>.<nonce>.<ciphertext>`, AES-256-GCM without
 * context: one that was moved to another row opens there. Each value is opened with the key that it names.
 *
 * @throws InvalidInputError when one is not such a key
 */
export function cloakFormat(options: CloakOptions): OldFormat {
  assertObject(options, 'the options')
  const { keys, plaintext: mixed = false } = options
  assertFlag(mixed, 'plaintext')
  assertKeys(keys, 'cloak keys')
  const known = new Map(keys.map((key) => [fingerprint(key), keyOf(key)]))
  const [first] = known as unknown as [[string, Buffer]]
  return checkedFormat({
    name: 'cloak',
    open(stored) {
      if (stored.length > MAX_STORED) throw malformed()
      if (mixed && !stored.startsWith(PREFIX)) return stored
      const [, name = '', nonce = '', sealed = ''] = STORED.exec(stored) ?? []
      const key = known.get(name)
      if (key === undefined) throw malformed()
      const bytes = strictBase64(sealed, 'base64url')
      const at = bytes.byteLength - TAG_LENGTH
      if (at < 0) throw malformed()
      const opened = plaintextOf(
        openGcm(key, strictBase64(nonce, 'base64url'), bytes.subarray(0, at), bytes.subarray(at)),
      )
      // Read, and written back as if it had been a text: which of the two is meant, nobody can tell here.
      if (typeof opened === 'string' && opened.startsWith(PREFIX)) throw malformed()
      return opened
    },
    seal(plaintext) {
      const [name, key] = first
      const nonce = randomBytes(12)
      const { ciphertext, tag } = sealGcm(key, nonce, Buffer.from(plaintext))
      const parts = [
        'v1',
        'aesgcm256',
        name,
        paddedBase64(nonce, 'base64url'),
        paddedBase64(Buffer.concat([ciphertext, tag]), 'base64url'),
      ]
      return parts.join('.')
    },
  })
}

/** Of the text of the key, as it is written. */
function fingerprint(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8)
}

function keyOf(text: string): Buffer {
  const key = Buffer.from(KEY.exec(text)?.[1] ?? '', 'base64url')
  if (key.byteLength !== 32) throw new InvalidInputError('a cloak key begins with k1.aesgcm256. and has 32 bytes')
  return key
}
