import { Buffer } from 'node:buffer'
import { parseDecimal } from '../phc.ts'
import type { LegacyScheme } from '../stored-hash.ts'
import { parseHex } from './encodings.ts'
import { pbkdf2Hash } from './pbkdf2.ts'
import { scryptHash } from './scrypt.ts'

const FORMAT = /^(pbkdf2|scrypt):([a-z0-9:]{1,32})\$([A-Za-z0-9]{1,64})\$([0-9a-f]{32,128})$/

/**
 * Werkzeug, which is Flask: `pbkdf2:sha256:600000$salt$hex` and `scrypt:32768:8:1$salt$hex`.
 * Trap: the salt is used as text.
 */
export const werkzeug: LegacyScheme = {
  name: 'werkzeug',
  parse: (stored) => {
    const [, kind, method, salt, hex] = FORMAT.exec(stored) ?? []
    if (kind === undefined || method === undefined || salt === undefined || hex === undefined) return undefined
    const parts = method.split(':')
    const common = {
      salt: Buffer.from(salt, 'latin1'),
      digest: parseHex(hex),
      settings: stored.slice(0, -hex.length) + '0'.repeat(hex.length),
    }
    if (kind === 'pbkdf2') {
      const [hash = '', iterations = '', ...rest] = parts
      return rest.length > 0
        ? undefined
        : pbkdf2Hash({ ...common, scheme: `werkzeug-pbkdf2-${hash}`, hash, iterations })
    }
    const [cost, blockSize, parallelism, ...rest] = parts.map(parseDecimal)
    return rest.length > 0
      ? undefined
      : scryptHash({ ...common, scheme: 'werkzeug-scrypt', cost, blockSize, parallelism })
  },
}
