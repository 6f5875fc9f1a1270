import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { assertObject, describe } from '../../bytes.ts'
import { InvalidInputError } from '../../errors.ts'
import { type LegacyScheme, ofText } from '../stored-hash.ts'

/** What a table of bare digests looks like; nothing in such a table says so itself. */
export interface RawDigestOptions {
  /** What the digest was made with. */
  readonly algorithm: 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512'
  /** Where the salt stood when it was hashed with the password. Default `none`. */
  readonly salt?: 'none' | 'before' | 'after'
  /** How digest and salt are stored. Default `digest`, or `digest:salt` when there is a salt. */
  readonly stored?: 'digest' | 'digest:salt' | 'salt:digest'
}

const LENGTHS = { md5: 16, sha1: 20, sha256: 32, sha384: 48, sha512: 64 }
const MAX_SALT = 256

/**
 * A hexadecimal digest of the password, with or without a salt that is used as text. A salt in a column of its own is
 * joined to the digest with a colon when the table is imported.
 * Trap: these fall to a graphics card in hours, so do not wait for logins: `wrapLegacy` protects them today.
 *
 * @throws InvalidInputError when an option is not one of those named, or salt and stored form do not fit
 */
export function rawDigest(options: RawDigestOptions): LegacyScheme {
  assertObject(options, 'the options')
  const { algorithm, salt: position = 'none' } = options
  const { stored: layout = position === 'none' ? 'digest' : 'digest:salt' } = options
  if (!Object.keys(LENGTHS).includes(algorithm)) {
    throw new InvalidInputError(
      `algorithm must be md5, sha1, sha256, sha384 or sha512, received ${describe(algorithm)}`,
    )
  }
  if (!['none', 'before', 'after'].includes(position)) {
    throw new InvalidInputError(`salt must be none, before or after, received ${describe(position)}`)
  }
  const layouts = position === 'none' ? ['digest'] : ['digest:salt', 'salt:digest']
  if (!layouts.includes(layout))
    throw new InvalidInputError(`with salt ${position}, stored must be ${layouts.join(' or ')}`)

  const length = 2 * LENGTHS[algorithm]
  return ofText({
    name: 'raw-digest',
    parse: (stored) => {
      const [hex, salt] = split(stored)
      if (hex === undefined || salt === undefined || !/^[0-9a-fA-F]+$/.test(hex)) return undefined
      const zeros = '0'.repeat(length)
      return {
        scheme: `raw-${algorithm}`,
        cost: '',
        memoryKiB: 0,
        digest: Buffer.from(hex, 'hex'),
        settings: layout === 'digest' ? zeros : layout === 'digest:salt' ? `${zeros}:${salt}` : `${salt}:${zeros}`,
        compute: async (password) => {
          const hash = createHash(algorithm)
          if (position === 'before') hash.update(salt)
          hash.update(password)
          if (position === 'after') hash.update(salt)
          return hash.digest()
        },
      }
    },
  })

  /** The digest's length is known, so a salt may hold any character, colons too. */
  function split(stored: string): [hex: string | undefined, salt: string | undefined] {
    if (layout === 'digest') return [stored.length === length ? stored : undefined, '']
    const saltLength = stored.length - length - 1
    if (saltLength < 1 || saltLength > MAX_SALT) return [undefined, undefined]
    return layout === 'digest:salt'
      ? [stored.slice(0, length), stored[length] === ':' ? stored.slice(length + 1) : undefined]
      : [stored.slice(-length), stored[saltLength] === ':' ? stored.slice(0, saltLength) : undefined]
  }
}
