import { Buffer } from 'node:buffer'
import { createHmac } from 'node:crypto'
import { equalBytes, wipe } from '../bytes.ts'
import { DecryptionError } from '../errors.ts'
import type { Header } from './header.ts'
import type { Suite } from './suites.ts'

/** What one message's cipher and commitment are made of. The caller wipes `key`. */
export interface DerivedKeys {
  readonly key: Buffer
  readonly commitment: Buffer
}

/**
 * HKDF-SHA-512 of version 2: one extract, two expands, each a single HMAC (`hkdfSync` would take three times as long).
 * Specification, section 4; RFC 5869.
 */
export function deriveKeys(suite: Suite, dataKey: Uint8Array, messageId: Uint8Array): DerivedKeys {
  const prk = createHmac('sha512', messageId).update(dataKey).digest()
  const key = createHmac('sha512', prk).update(keyInfo(suite.id)).digest().subarray(0, 32)
  const commitment = createHmac('sha512', prk).update(COMMIT_INFO).digest().subarray(0, 32)
  prk.fill(0)
  return { key, commitment }
}

/**
 * The key of a message that is being opened, after its commitment was compared. No cipher has run before.
 *
 * @throws DecryptionError when the data key is not the one that the header commits to
 */
export function openKey(header: Header, dataKey: Uint8Array): Buffer {
  const { suite, messageId } = header
  if (suite.version === 1) return deriveUncommitted(suite, dataKey, messageId)
  const { key, commitment } = deriveKeys(suite, dataKey, messageId)
  if (equalBytes(commitment, header.commitment)) return key
  wipe(key)
  throw new DecryptionError()
}

/** Version 1: a salt of zeros, and the message id in the info; the oldest suites use the data key as it is. */
function deriveUncommitted({ id, hash, keyLength }: Suite, dataKey: Uint8Array, messageId: Uint8Array): Buffer {
  if (hash === undefined) return Buffer.from(dataKey)
  const salt = Buffer.alloc(hash === 'sha256' ? 32 : 48)
  const prk = createHmac(hash, salt).update(dataKey).digest()
  const derived = createHmac(hash, prk)
    .update(Buffer.from([id >> 8, id & 255]))
    .update(messageId)
    .update(FIRST_BLOCK)
    .digest()
  const key = Buffer.alloc(keyLength)
  derived.copy(key, 0, 0, keyLength)
  wipe(prk, derived)
  return key
}

const FIRST_BLOCK = Buffer.from([1])
const COMMIT_INFO = Buffer.from('COMMITKEY\x01', 'latin1')
const KEY_INFO = new Map(
  [0x0478, 0x0578].map((id) => [
    id,
    Buffer.concat([Buffer.from([id >> 8, id & 255]), Buffer.from('DERIVEKEY\x01', 'latin1')]),
  ]),
)

function keyInfo(id: number): Buffer {
  return KEY_INFO.get(id) as Buffer
}
