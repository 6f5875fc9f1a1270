import { encodeBase64url } from '../base64url.ts'
import { wipe } from '../bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { KEY_LENGTH } from '../crypto/xaes.ts'
import type { KeyPurpose, KeyRecord, KeyState, KeyWrap } from '../key-store.ts'
import type { WrappedKey } from '../kms.ts'
import type { KmsGroup } from './kms-group.ts'
import { commitmentOf, rootContext, type UnsignedRecord } from './record.ts'
import { RootKey } from './root-key.ts'

/** What a new key is for. */
export interface NewKey {
  readonly store: string
  readonly purpose: KeyPurpose
  readonly scope: string
  readonly generation: number
  readonly state: KeyState
  readonly at: Date
  readonly reason: string | null
  readonly expiresAt: Date | null
}

/**
 * The wrapped form of a key made and signed under `root`; the secret is gone when this returns.
 *
 * @param adopt takes the secret into memory before it is wiped here
 */
export function newKey(
  root: RootKey,
  request: NewKey,
  adopt?: (secret: Uint8Array, record: KeyRecord) => void,
): KeyRecord {
  const secret = randomBytes(KEY_LENGTH)
  try {
    const record = blank(secret, request, root.id)
    const wrapped = root.wrap(secret, record)
    const wrap: KeyWrap = {
      provider: 'root',
      keyId: root.id,
      ciphertext: encodeBase64url(wrapped),
      wrappedAt: record.createdAt,
    }
    const signed = root.sign({ ...record, wraps: [wrap] })
    adopt?.(secret, signed)
    return signed
  } finally {
    wipe(secret)
  }
}

/**
 * A root key wrapped under every configured KMS.
 *
 * @param adopt takes the secret into memory before it is wiped here
 * @throws KmsError
 */
export async function newRootKey(
  kms: KmsGroup,
  request: Omit<NewKey, 'purpose' | 'scope' | 'expiresAt'>,
  adopt: (secret: Uint8Array, record: KeyRecord) => RootKey,
): Promise<RootKey> {
  const secret = randomBytes(KEY_LENGTH)
  try {
    const record = blank(secret, { ...request, purpose: 'root', scope: '', expiresAt: null }, null)
    const { wraps } = await kms.wrap(secret, { context: rootContext(record) })
    const unsigned = { ...record, wraps: wraps.map((wrap) => keyWrap(wrap, request.at)) }
    const signer = new RootKey(secret, { ...unsigned, mac: '' })
    const signed = signer.sign(unsigned)
    signer.wipe()
    return adopt(secret, signed)
  } finally {
    wipe(secret)
  }
}

/** A wrapped key in the form a record holds. */
export function keyWrap(wrapped: WrappedKey, at: Date): KeyWrap {
  return {
    provider: wrapped.provider,
    keyId: wrapped.keyId,
    ciphertext: encodeBase64url(wrapped.ciphertext),
    wrappedAt: at.toISOString(),
  }
}

function blank(secret: Uint8Array, request: NewKey, parent: string | null): UnsignedRecord {
  const commitment = commitmentOf(secret).toString('hex')
  const at = request.at.toISOString()
  return {
    format: 1,
    id: commitment.slice(0, 32),
    commitment,
    store: request.store,
    purpose: request.purpose,
    scope: request.scope,
    generation: request.generation,
    parent,
    createdAt: at,
    expiresAt: request.expiresAt?.toISOString() ?? null,
    wraps: [],
    state: request.state,
    stateAt: at,
    reason: request.reason,
    rev: 1,
  }
}
