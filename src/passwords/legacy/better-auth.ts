import { Buffer } from 'node:buffer'
import type { LegacyScheme } from '../stored-hash.ts'
import { parseHex } from './encodings.ts'
import { scryptHash } from './scrypt.ts'

const FORMAT = /^([0-9a-f]{32}):([0-9a-f]{128})$/

/**
 * Better Auth (and Lucia): `salt:key` in hexadecimal, scrypt with N = 16384, r = 16, p = 1.
 * Trap: the salt is its hexadecimal text, not its bytes, and the password was brought to NFKC.
 */
export const betterAuth: LegacyScheme = {
  name: 'better-auth',
  parse: (stored) => {
    const [, salt, key] = FORMAT.exec(stored) ?? []
    if (salt === undefined || key === undefined) return undefined
    return scryptHash({
      scheme: 'better-auth',
      cost: 16_384,
      blockSize: 16,
      parallelism: 1,
      salt: Buffer.from(salt, 'latin1'),
      digest: parseHex(key),
      settings: `${salt}:${'0'.repeat(key.length)}`,
    })
  },
}
