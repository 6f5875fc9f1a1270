import { Buffer } from 'node:buffer'
import { createPublicKey, ECDH, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { DecryptionError } from '../errors.ts'
import { type Curve, suites } from './suites.ts'

/** A key pair that signs one message; its public half travels in the context of that message. */
export interface SigningKey {
  readonly privateKey: KeyObject
  /** Base64 of the compressed point, as the context carries it. */
  readonly publicKey: string
}

/** A fresh P-384 key pair. */
export function createSigningKey(): SigningKey {
  const curve = suites.get(0x0578)?.signature?.curve as Curve
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve.openssl })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
  return {
    privateKey,
    publicKey: ECDH.convertKey(point, curve.openssl, undefined, undefined, 'compressed').toString('base64'),
  }
}

/** The key that a context carries. @throws DecryptionError when it is not exactly one compressed point of this curve */
export function parseVerificationKey(text: string, curve: Curve): KeyObject {
  const compressed = Buffer.from(text, 'base64')
  if (compressed.length !== curve.size + 1 || compressed.toString('base64') !== text) throw new DecryptionError()
  try {
    const point = ECDH.convertKey(compressed, curve.openssl, undefined, undefined, 'uncompressed') as Buffer
    const half = (from: number) => point.subarray(from, from + curve.size).toString('base64url')
    return createPublicKey({
      format: 'jwk',
      key: { kty: 'EC', crv: curve.jwk, x: half(1), y: half(1 + curve.size) },
    })
  } catch {
    throw new DecryptionError()
  }
}
