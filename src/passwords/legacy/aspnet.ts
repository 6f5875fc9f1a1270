import { Buffer } from 'node:buffer'
import type { LegacyScheme, StoredHash } from '../stored-hash.ts'
import { parseBase64 } from './encodings.ts'
import { pbkdf2Hash } from './pbkdf2.ts'

const V2_LENGTH = 49
const V2_ITERATIONS = 1000
const V3_HEADER = 13
const V3_MIN_SALT = 16
const V3_MAX_LENGTH = 256
const V3_HASHES = ['sha1', 'sha256', 'sha512']

/**
 * ASP.NET Core Identity, the base64 of versions 2 and 3 of its `PasswordHasher`.
 * Trap: nothing but the first byte and the exact length tells what it is, and a key of less than 16 bytes would be
 * easy to hit.
 */
export const aspnet: LegacyScheme = {
  name: 'aspnet',
  parse: (stored) => {
    const bytes = stored.length <= V3_MAX_LENGTH ? parseBase64(stored) : undefined
    if (bytes === undefined) return undefined
    if (bytes[0] === 0) return bytes.byteLength === V2_LENGTH ? version2(bytes) : undefined
    return bytes[0] === 1 && bytes.byteLength > V3_HEADER ? version3(bytes) : undefined
  },
}

/** 0x00, 16 bytes of salt, 32 bytes of PBKDF2 with SHA-1 and 1,000 iterations. */
function version2(bytes: Buffer): StoredHash | undefined {
  const salt = bytes.subarray(1, 17)
  const digest = bytes.subarray(17)
  const settings = blank(bytes, 17)
  return pbkdf2Hash({ scheme: 'aspnet-v2', hash: 'sha1', iterations: V2_ITERATIONS, salt, digest, settings })
}

/** 0x01, then as u32 big-endian the hash, the iterations and the length of the salt; salt; key. */
function version3(bytes: Buffer): StoredHash | undefined {
  const saltLength = bytes.readUInt32BE(9)
  if (saltLength < V3_MIN_SALT || saltLength > bytes.byteLength - V3_HEADER) return undefined
  const keyAt = V3_HEADER + saltLength
  return pbkdf2Hash({
    scheme: 'aspnet-v3',
    hash: V3_HASHES[bytes.readUInt32BE(1)] ?? '',
    iterations: bytes.readUInt32BE(5),
    salt: bytes.subarray(V3_HEADER, keyAt),
    digest: bytes.subarray(keyAt),
    settings: blank(bytes, keyAt),
  })
}

function blank(bytes: Buffer, keyAt: number): string {
  return Buffer.from(bytes).fill(0, keyAt).toString('base64')
}
