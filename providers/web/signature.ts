import { DecryptionError } from '../../src/errors.ts'
import type { Suite } from '../../src/messages/suites.ts'
import { decodeSignature, encodeSignature } from './der.ts'
import { compress, decompress } from './point.ts'
import { type PlatformKey, subtle } from './subtle.ts'

/** A key pair that signs one message; its public half travels in the context of that message. */
export interface SigningKey {
  readonly privateKey: PlatformKey
  /** Base64 of the compressed point, as the context carries it. */
  readonly publicKey: string
}

/** A fresh P-384 key pair. */
export async function createSigningKey(): Promise<SigningKey> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-384' }
  const { privateKey, publicKey } = await subtle().generateKey(algorithm, false, ['sign', 'verify'])
  const point = new Uint8Array(await subtle().exportKey('raw', publicKey))
  return { privateKey, publicKey: btoa(String.fromCharCode(...compress(point))) }
}

/** The footer of a signed message: u16 length, then the signature in DER. */
export async function signedFooter(message: Uint8Array, key: PlatformKey): Promise<Uint8Array> {
  const der = encodeSignature(new Uint8Array(await subtle().sign({ name: 'ECDSA', hash: 'SHA-384' }, key, message)))
  return Uint8Array.of(der.length >> 8, der.length & 255, ...der)
}

/** Verifies what a footer says of the bytes before it. @throws DecryptionError */
export async function assertSignature(
  { signature: scheme }: Suite,
  publicKey: string,
  signed: Uint8Array,
  signature: Uint8Array,
): Promise<void> {
  if (scheme === undefined) throw new DecryptionError()
  const { curve, hash } = scheme
  const raw = decodeSignature(signature, curve.size)
  try {
    const point = decompress(fromBase64(publicKey), curve)
    const key = await subtle().importKey('raw', point, { name: 'ECDSA', namedCurve: curve.jwk }, false, ['verify'])
    const algorithm = { name: 'ECDSA', hash: hash === 'sha256' ? 'SHA-256' : 'SHA-384' }
    if (await subtle().verify(algorithm, key, raw, signed)) return
  } catch {
    // Whatever the platform dislikes about key or signature.
  }
  throw new DecryptionError()
}

/** Strict: text that is not exactly what these bytes encode to is refused. */
function fromBase64(text: string): Uint8Array {
  const binary = atob(text)
  if (btoa(binary) !== text) throw new DecryptionError()
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}
