import type { LegacyScheme } from '../stored-hash.ts'
import { parseAb64 } from './encodings.ts'
import { pbkdf2Hash } from './pbkdf2.ts'

const FORMAT = /^\$pbkdf2(?:-(sha256|sha512))?\$([0-9]+)\$([./A-Za-z0-9]*)\$([./A-Za-z0-9]+)$/

/**
 * passlib's `$pbkdf2-sha256$29000$salt$hash`, `$pbkdf2-sha512$` and `$pbkdf2$` (SHA-1).
 * Trap: its base64 has `.` where others have `+`.
 */
export const passlibPbkdf2: LegacyScheme = {
  name: 'passlib-pbkdf2',
  parse: (stored) => {
    const [, hash = 'sha1', iterations, salt, digest] = FORMAT.exec(stored) ?? []
    if (iterations === undefined || salt === undefined || digest === undefined) return undefined
    return pbkdf2Hash({
      scheme: `passlib-pbkdf2-${hash}`,
      hash,
      iterations,
      salt: parseAb64(salt),
      digest: parseAb64(digest),
      settings: stored.slice(0, -digest.length) + 'A'.repeat(digest.length),
    })
  },
}
