import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, randomFillSync } from 'node:crypto'

/*
 * What people write by hand with node:crypto: AES-256-GCM with a random 96-bit nonce, base64url out. Neither names its
 * key, hides the length or knows a type, and both are given the finished bytes of the associated data.
 */

const NONCE = 12
const TAG = 16
const key = randomBytes(32)

/** The pattern everybody writes. */
export function naiveEncrypt(text: string, aad: Uint8Array): string {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(aad)
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString('base64url')
}

export function naiveDecrypt(sealed: string, aad: Uint8Array): string {
  const bytes = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE))
  decipher.setAAD(aad)
  decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]).toString('utf8')
}

const POOL = 4096
const pool = Buffer.alloc(POOL)
let used = POOL
const keyObject = createSecretKey(key)

/** The best pattern by hand: random bytes from a pool, a KeyObject, one buffer. */
export function bestEncrypt(text: string, aad: Uint8Array): string {
  if (used + NONCE > POOL) {
    randomFillSync(pool)
    used = 0
  }
  const nonce = pool.subarray(used, used + NONCE)
  used += NONCE
  const cipher = createCipheriv('aes-256-gcm', keyObject, nonce)
  cipher.setAAD(aad)
  const ciphertext = cipher.update(text, 'utf8')
  const out = Buffer.allocUnsafe(NONCE + ciphertext.length + TAG)
  out.set(nonce, 0)
  out.set(ciphertext, NONCE)
  cipher.final()
  out.set(cipher.getAuthTag(), NONCE + ciphertext.length)
  return out.toString('base64url')
}

export function bestDecrypt(sealed: string, aad: Uint8Array): string {
  const bytes = Buffer.from(sealed, 'base64url')
  const end = bytes.length - TAG
  const decipher = createDecipheriv('aes-256-gcm', keyObject, bytes.subarray(0, NONCE))
  decipher.setAAD(aad)
  decipher.setAuthTag(bytes.subarray(end))
  const text = decipher.update(bytes.subarray(NONCE, end)).toString('utf8')
  decipher.final()
  return text
}
