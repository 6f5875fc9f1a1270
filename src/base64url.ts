import { Buffer } from 'node:buffer'

/** Base64url without padding, RFC 4648 section 5. */
export function encodeBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/**
 * Decodes base64url strictly: the one text that `encodeBase64url` would write, or undefined.
 * Node's decoder also takes padding, `+`, `/`, white space and stray bits, which would give one value many texts.
 */
export function parseBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}
