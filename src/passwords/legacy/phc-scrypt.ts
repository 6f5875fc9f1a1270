import { encodeB64, parseDecimal, parsePhc } from '../phc.ts'
import type { LegacyScheme } from '../stored-hash.ts'
import { scryptHash } from './scrypt.ts'

/**
 * `$scrypt$ln=16,r=8,p=1$salt$hash`, the PHC string of passlib and others.
 * Trap: `ln` is the logarithm of N.
 */
export const phcScrypt: LegacyScheme = {
  name: 'scrypt',
  parse: (stored) => {
    const phc = parsePhc(stored)
    if (phc?.id !== 'scrypt' || phc.version !== undefined || [...phc.params.keys()].join() !== 'ln,r,p')
      return undefined
    const [logN, blockSize, parallelism] = [...phc.params.values()].map(parseDecimal)
    const { length } = encodeB64(phc.hash)
    return scryptHash({
      scheme: 'scrypt',
      cost: logN === undefined || logN > 30 ? undefined : 2 ** logN,
      blockSize,
      parallelism,
      salt: phc.salt,
      digest: phc.hash,
      settings: stored.slice(0, -length) + 'A'.repeat(length),
    })
  },
}
