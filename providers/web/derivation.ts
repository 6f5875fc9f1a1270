import { ConfigError, DecryptionError } from '../../src/errors.ts'
import { COMMITMENT, type Header } from '../../src/messages/header.ts'
import type { Suite } from '../../src/messages/suites.ts'
import { type PlatformKey, subtle } from './subtle.ts'

/** The key and the commitment of a message of format 2. The key cannot be read. Specification, section 4. */
export async function deriveKeys(
  suite: Suite,
  dataKey: Uint8Array,
  messageId: Uint8Array,
): Promise<{ key: PlatformKey; commitment: Uint8Array }> {
  const base = await subtle().importKey('raw', dataKey, 'HKDF', false, ['deriveBits', 'deriveKey'])
  const hkdf = (info: Uint8Array) => ({ name: 'HKDF', hash: 'SHA-512', salt: messageId, info })
  const [key, commitment] = await Promise.all([
    subtle().deriveKey(hkdf(withSuite(suite, KEY_INFO)), base, { name: 'AES-GCM', length: 256 }, false, USES),
    subtle().deriveBits(hkdf(COMMIT_INFO), base, COMMITMENT * 8),
  ])
  return { key, commitment: new Uint8Array(commitment) }
}

/**
 * The key of a message that is being opened, after its commitment was compared. No cipher has run before.
 *
 * @throws DecryptionError when the data key is not the one that the header commits to
 */
export async function openKey(header: Header, dataKey: Uint8Array): Promise<PlatformKey> {
  const { suite, messageId } = header
  if (suite.version === 1) return deriveUncommitted(suite, dataKey, messageId)
  const { key, commitment } = await deriveKeys(suite, dataKey, messageId)
  if (!equalBytes(commitment, header.commitment)) throw new DecryptionError()
  return key
}

/** Version 1: a salt of zeros, and the message id in the info; the oldest suites use the data key as it is. */
async function deriveUncommitted(suite: Suite, dataKey: Uint8Array, messageId: Uint8Array): Promise<PlatformKey> {
  const length = suite.keyLength * 8
  try {
    if (suite.hash === undefined) return await subtle().importKey('raw', dataKey, 'AES-GCM', false, USES)
    const base = await subtle().importKey('raw', dataKey, 'HKDF', false, ['deriveKey'])
    const hash = suite.hash === 'sha256' ? 'SHA-256' : 'SHA-384'
    const hkdf = { name: 'HKDF', hash, salt: NOTHING, info: withSuite(suite, messageId) }
    return await subtle().deriveKey(hkdf, base, { name: 'AES-GCM', length }, false, USES)
  } catch {
    throw new ConfigError(`this browser has no AES keys of ${length} bits`)
  }
}

/** Looks at every byte, wherever the first difference is. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

function withSuite({ id }: Suite, rest: Uint8Array): Uint8Array {
  return Uint8Array.of(id >> 8, id & 255, ...rest)
}

const USES: ['encrypt', 'decrypt'] = ['encrypt', 'decrypt']
const NOTHING = new Uint8Array(0)
const KEY_INFO = new TextEncoder().encode('DERIVEKEY')
const COMMIT_INFO = new TextEncoder().encode('COMMITKEY')
