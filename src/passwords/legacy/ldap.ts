import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { LegacyScheme } from '../stored-hash.ts'
import { parseBase64 } from './encodings.ts'

const FORMAT = /^\{([A-Za-z0-9-]{3,8})\}([A-Za-z0-9+/]+=*)$/
const MAX_SALT = 64

/** By the name in braces: the hash, its length in bytes, and whether a salt follows it. */
const SCHEMES = new Map<string, { hash: string; length: number; salted: boolean }>([
  ['SSHA', { hash: 'sha1', length: 20, salted: true }],
  ['SSHA256', { hash: 'sha256', length: 32, salted: true }],
  ['SSHA384', { hash: 'sha384', length: 48, salted: true }],
  ['SSHA512', { hash: 'sha512', length: 64, salted: true }],
  ['SMD5', { hash: 'md5', length: 16, salted: true }],
  ['SHA', { hash: 'sha1', length: 20, salted: false }],
  ['SHA256', { hash: 'sha256', length: 32, salted: false }],
  ['SHA512', { hash: 'sha512', length: 64, salted: false }],
  ['MD5', { hash: 'md5', length: 16, salted: false }],
])

/**
 * LDAP user passwords: `{SSHA}`, `{SSHA512}` and their relatives, salted and not. RFC 2307 and OpenLDAP.
 * Trap: the salt stands behind the digest inside one base64 text, so its length is what is left over; and some
 * servers write the name in lower case.
 */
export const ldap: LegacyScheme = {
  name: 'ldap',
  parse: (stored) => {
    const [, name, text] = FORMAT.exec(stored) ?? []
    const scheme = SCHEMES.get(name?.toUpperCase() ?? '')
    const bytes = parseBase64(text ?? '')
    if (name === undefined || scheme === undefined || bytes === undefined) return undefined
    const saltLength = bytes.byteLength - scheme.length
    if (scheme.salted ? saltLength < 1 || saltLength > MAX_SALT : saltLength !== 0) return undefined
    const digest = bytes.subarray(0, scheme.length)
    const salt = bytes.subarray(scheme.length)
    return {
      scheme: `ldap-${name.toLowerCase()}`,
      cost: '',
      memoryKiB: 0,
      digest,
      settings: `{${name}}${Buffer.concat([Buffer.alloc(scheme.length), salt]).toString('base64')}`,
      compute: async (password) => createHash(scheme.hash).update(password).update(salt).digest(),
    }
  },
}
