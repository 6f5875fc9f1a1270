import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import { parseBase64url } from '../../src/base64url.ts'
import { describe } from '../../src/bytes.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { InvalidInputError } from '../../src/errors.ts'

/** What `prisma-field-encryption` wrote with. */
export interface FieldEncryptionOptions {
  /** Its keys, `k1.aesgcm256.…`: the one that writes first, then those that only read. */
  readonly keys: readonly string[]
  /** Take what is not encrypted for plaintext, as that package did without `mode=strict`. False by default. */
  readonly plaintext?: boolean
}

/** A format of old columns, for `defineMigration`. */
export interface FieldEncryptionFormat {
  readonly name: string
  open(stored: string): string
  seal(plaintext: string | Uint8Array): string
}

const KEY = /^k1\.aesgcm256\.([\w-]{43})=?$/
const PREFIX = 'v1.aesgcm256.'
const VALUE = /^v1\.aesgcm256\.([0-9a-f]{8})\.([\w-]{16})\.([\w-]+={0,2})$/i
const NONCE_LENGTH = 12
const TAG_LENGTH = 16

/**
 * Reads what `prisma-field-encryption` (and `@47ng/cloak`) wrote, as the old side of a migration. Each value is opened
 * with the key that it names. Those values are bound to nothing, so that one that was moved to another row opens there.
 *
 * @throws InvalidInputError when a key is not one of that package
 */
export function prismaFieldEncryption({ keys, plaintext = false }: FieldEncryptionOptions): FieldEncryptionFormat {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new InvalidInputError('keys must be a list of keys that begin with k1.aesgcm256., with at least one')
  }
  const secrets = new Map(keys.map((key) => [fingerprint(key), secretOf(key)]))
  const [first] = secrets
  return {
    name: 'prisma-field-encryption',
    open(stored) {
      if (plaintext && !stored.startsWith(PREFIX)) return stored
      const [, by = '', nonce = '', sealed = ''] = VALUE.exec(stored) ?? []
      const secret = secrets.get(by.toLowerCase())
      const bytes = parseBase64url(sealed.replace(/=+$/, ''))
      if (secret === undefined) throw new InvalidInputError('the value is not one of these keys')
      if (bytes === undefined || bytes.byteLength < TAG_LENGTH || padded(bytes) !== sealed) {
        throw new InvalidInputError('the value was cut or changed')
      }
      const opened = open(secret, Buffer.from(nonce, 'base64url'), bytes)
      // What was read, and written back as if it had been a text, was encrypted twice: which of the two is meant, nobody can tell here.
      if (opened.startsWith(PREFIX)) throw new InvalidInputError('the value was encrypted twice')
      return opened
    },
    seal(value) {
      const [by, secret] = first as [string, Buffer]
      const nonce = Buffer.from(randomBytes(NONCE_LENGTH))
      const cipher = createCipheriv('aes-256-gcm', secret, nonce)
      const sealed = Buffer.concat([cipher.update(value), cipher.final(), cipher.getAuthTag()])
      return `${PREFIX}${by}.${padded(nonce)}.${padded(sealed)}`
    },
  }
}

function open(secret: Buffer, nonce: Buffer, sealed: Buffer): string {
  const end = sealed.byteLength - TAG_LENGTH
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_LENGTH })
  decipher.setAuthTag(sealed.subarray(end))
  const bytes = Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()])
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}

function secretOf(key: unknown): Buffer {
  const secret = typeof key === 'string' ? parseBase64url(KEY.exec(key)?.[1] ?? '') : undefined
  if (secret?.byteLength === 32) return secret
  throw new InvalidInputError(`a key of prisma-field-encryption begins with k1.aesgcm256., received ${describe(key)}`)
}

/** Its keys are named by the text that they are written as. */
function fingerprint(key: unknown): string {
  return createHash('sha256').update(String(key)).digest('hex').slice(0, 8)
}

function padded(bytes: Buffer): string {
  const text = bytes.toString('base64url')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}
