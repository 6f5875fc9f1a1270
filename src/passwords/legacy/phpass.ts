import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { LegacyScheme } from '../stored-hash.ts'
import { crypt64Value, encodeCrypt64 } from './encodings.ts'
import { repeat } from './repeat.ts'

const FORMAT = /^\$[PH]\$([./A-Za-z0-9])([./A-Za-z0-9]{8})([./A-Za-z0-9]{22})$/
const MIN_LOG = 7
const MAX_LOG = 20

/**
 * phpass portable hashes `$P$` and phpBB's `$H$`: WordPress before 6.8, phpBB 3, many PHP applications.
 * Trap: the count is one character, a logarithm in crypt(3)'s own base64.
 */
export const phpass: LegacyScheme = {
  name: 'phpass',
  parse: (stored) => {
    const [, count, salt, hash] = FORMAT.exec(stored) ?? []
    if (count === undefined || salt === undefined || hash === undefined) return undefined
    const log = crypt64Value(count)
    if (log < MIN_LOG || log > MAX_LOG) return undefined
    return {
      scheme: 'phpass',
      cost: `rounds=${2 ** log}`,
      memoryKiB: 0,
      digest: Buffer.from(hash, 'latin1'),
      settings: stored.slice(0, -hash.length) + '.'.repeat(hash.length),
      compute: async (password) => {
        let digest = createHash('md5').update(salt).update(password).digest()
        await repeat(2 ** log, () => {
          digest = createHash('md5').update(digest).update(password).digest()
        })
        return Buffer.from(encodeCrypt64(digest), 'latin1')
      },
    }
  },
}
