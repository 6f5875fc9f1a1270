import { Buffer } from 'node:buffer'
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { lengthPrefixed, wipe } from '../bytes.ts'

const LABEL = 'strongroom/v1/recovery'
const PREFIX = 'sr_rp1'
const KEY_LENGTH = 32
const TEXT = /^sr_rp1_([0-9a-f]{64})_([0-9a-f]{8})$/
/** What stands before the 32 bytes of an X25519 private key in its PKCS #8 form. RFC 8410 section 7. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** A new recovery key pair. The caller wipes the private half. */
export function createRecoveryKey(): { readonly privateKey: Buffer; readonly publicKey: Buffer } {
  const pair = generateKeyPairSync('x25519')
  const der = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  const privateKey = Buffer.alloc(KEY_LENGTH)
  der.copy(privateKey, 0, der.byteLength - KEY_LENGTH)
  wipe(der)
  return { privateKey, publicKey: publicOf(privateKey) }
}

/** The public half of a private key of 32 bytes. */
export function publicOf(privateKey: Uint8Array): Buffer {
  const der = Buffer.concat([PKCS8, privateKey])
  try {
    const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    const spki = key.export({ format: 'der', type: 'spki' })
    return spki.subarray(spki.byteLength - KEY_LENGTH)
  } finally {
    wipe(der)
  }
}

/** A public recovery key as it stands in a configuration. */
export function recoveryKeyText(publicKey: Uint8Array): string {
  const body = `${PREFIX}_${Buffer.from(publicKey).toString('hex')}`
  return `${body}_${checksum(body)}`
}

/** @returns undefined when it is not the text of a public recovery key */
export function parseRecoveryKeyText(text: string): Buffer | undefined {
  const [, key = '', sum] = TEXT.exec(text) ?? []
  return key !== '' && checksum(`${PREFIX}_${key}`) === sum ? Buffer.from(key, 'hex') : undefined
}

/** Which recovery key it is, 16 hexadecimal characters: what its shares carry, and what combining them must give again. */
export function recoverySetId(publicKey: Uint8Array): string {
  return hash('sha256', lengthPrefixed([LABEL, publicKey]), 'hex').slice(0, 16)
}

/** CRC-32 as 8 hexadecimal characters: finds mistakes of copying, not of malice. */
export function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
