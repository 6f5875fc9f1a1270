import { Buffer } from 'node:buffer'
import { createCipheriv } from 'node:crypto'
import { assertObject, assertText, assertWhole, describe } from '../../bytes.ts'
import { InvalidInputError } from '../../errors.ts'
import { type LegacyScheme, ofText } from '../stored-hash.ts'
import { parseBase64, zerosBase64 } from './encodings.ts'
import { scryptHash } from './scrypt.ts'

/** The password hash parameters of a Firebase project, as its console shows them. */
export interface FirebaseScryptOptions {
  /** `base64_signer_key`. A secret: without it no hash of the project can be attacked. */
  readonly signerKey: string
  /** `base64_salt_separator` */
  readonly saltSeparator: string
  /** `rounds`: 1 to 8 */
  readonly rounds: number
  /** `mem_cost`: 1 to 14 */
  readonly memCost: number
}

const FORMAT = /^\$firebase-scrypt\$([A-Za-z0-9+/]+=*)\$([A-Za-z0-9+/]+=*)$/
const KEY_LENGTH = 64

/**
 * Firebase Authentication. Its export has `passwordHash` and `salt` in two fields: store them in one column as
 * `$firebase-scrypt$<salt>$<passwordHash>`, both in the base64 of the export (see `firebaseHash`).
 * Trap: the hash is the project's signer key, encrypted under what scrypt derives from the password.
 *
 * @throws InvalidInputError when an option is not as the Firebase console shows it
 */
export function firebaseScrypt(options: FirebaseScryptOptions): LegacyScheme {
  assertObject(options, 'the options')
  const signerKey = base64Option(options.signerKey, 'signerKey')
  const separator = base64Option(options.saltSeparator, 'saltSeparator')
  assertWhole(signerKey.byteLength, 'the bytes in signerKey', 16, 64)
  const { rounds, memCost } = options
  assertWhole(rounds, 'rounds', 1, 8)
  assertWhole(memCost, 'memCost', 1, 14)
  return ofText({
    name: 'firebase-scrypt',
    parse: (stored) => {
      const [, salt, hash] = FORMAT.exec(stored) ?? []
      const saltBytes = parseBase64(salt ?? '')
      const digest = parseBase64(hash ?? '')
      if (saltBytes === undefined || digest?.byteLength !== signerKey.byteLength) return undefined
      const scrypt = scryptHash({
        scheme: 'firebase-scrypt',
        cost: 2 ** memCost,
        blockSize: rounds,
        parallelism: 1,
        salt: Buffer.concat([saltBytes, separator]),
        digest,
        settings: firebaseHash(salt as string, zerosBase64(digest.byteLength)),
        keyLength: KEY_LENGTH,
      })
      return (
        scrypt && { ...scrypt, compute: async (password) => encryptSigner((await scrypt.compute(password)) as Buffer) }
      )
    },
  })

  function encryptSigner(derived: Buffer): Buffer {
    const cipher = createCipheriv('aes-256-ctr', derived.subarray(0, 32), Buffer.alloc(16))
    derived.fill(0)
    return cipher.update(signerKey)
  }
}

/** The text to store for a user of a Firebase export: its `salt` and `passwordHash`, both in base64. @throws InvalidInputError */
export function firebaseHash(salt: string, passwordHash: string): string {
  assertText(salt, 'salt')
  assertText(passwordHash, 'passwordHash')
  const standard = (text: string) => text.replaceAll('-', '+').replaceAll('_', '/')
  return `$firebase-scrypt$${standard(salt)}$${standard(passwordHash)}`
}

function base64Option(value: unknown, name: string): Buffer {
  const bytes = typeof value === 'string' ? parseBase64(value) : undefined
  if (bytes === undefined) throw new InvalidInputError(`${name} must be base64 text, received ${describe(value)}`)
  return bytes
}
