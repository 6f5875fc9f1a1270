import { Buffer } from 'node:buffer'
import { argon2id, hash } from 'argon2'
import sodium from 'libsodium-wrappers'
import { assertText } from '../../src/bytes.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { InvalidInputError } from '../../src/errors.ts'

/** What one derivation costs. More is slower for you once per start, and for an attacker at every guess. */
export interface Argon2Cost {
  /** Memory in KiB, 19,456 (19 MiB) to 1,048,576 (1 GiB). Default 131,072 (128 MiB). */
  readonly memoryKiB: number
  /** Passes over the memory, 2 to 16. Default 3. */
  readonly passes: number
  /** Lanes, 1 to 16. Default 1. */
  readonly parallelism: number
}

/** A key locked by a passphrase. */
export interface LockedKey {
  readonly cost: Argon2Cost
  /** 16 bytes */
  readonly salt: Uint8Array
  /** Nonce (24 bytes), ciphertext (32) and tag (16). */
  readonly box: Uint8Array
}

export const DEFAULT_COST: Argon2Cost = { memoryKiB: 131_072, passes: 3, parallelism: 1 }
export const SALT_LENGTH = 16
export const BOX_LENGTH = 24 + 32 + 16

const LIMITS = { memoryKiB: [19_456, 1_048_576], passes: [2, 16], parallelism: [1, 16] } as const
const MAX_PASSPHRASE = 1024

/** Whether a cost is within the limits: stored costs are checked before any work is done with them. */
export function isAllowedCost(cost: Argon2Cost): boolean {
  if (typeof cost !== 'object' || cost === null) return false
  return Object.entries(LIMITS).every(([name, [least, most]]) => {
    const value = cost[name as keyof Argon2Cost]
    return Number.isInteger(value) && value >= least && value <= most
  })
}

/** Refuses a passphrase that is empty, over 1,024 characters, or no text. @throws InvalidInputError */
export function assertPassphrase(passphrase: unknown): asserts passphrase is string {
  assertText(passphrase, 'passphrase')
  if (passphrase.length === 0 || passphrase.length > MAX_PASSPHRASE) {
    throw new InvalidInputError(`passphrase must be 1 to ${MAX_PASSPHRASE} characters, received ${passphrase.length}`)
  }
}

/** Locks a key: Argon2id (RFC 9106) of the passphrase in NFC, then XChaCha20-Poly1305 with `header` as associated data. */
export async function lockKey(
  key: Uint8Array,
  passphrase: string,
  header: Uint8Array,
  cost: Argon2Cost,
): Promise<LockedKey> {
  const salt = randomBytes(SALT_LENGTH)
  const nonce = randomBytes(24)
  const lockingKey = await derive(passphrase, salt, cost)
  try {
    await sodium.ready
    const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(key, header, null, nonce, lockingKey)
    return { cost, salt, box: Buffer.concat([nonce, sealed]) }
  } finally {
    lockingKey.fill(0)
  }
}

/** @returns undefined when the passphrase is wrong, or something was changed */
export async function unlockKey(
  locked: LockedKey,
  passphrase: string,
  header: Uint8Array,
): Promise<Uint8Array | undefined> {
  const lockingKey = await derive(passphrase, locked.salt, locked.cost)
  try {
    await sodium.ready
    const nonce = locked.box.subarray(0, 24)
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, locked.box.subarray(24), header, nonce, lockingKey)
  } catch {
    return undefined
  } finally {
    lockingKey.fill(0)
  }
}

function derive(passphrase: string, salt: Uint8Array, { memoryKiB, passes, parallelism }: Argon2Cost): Promise<Buffer> {
  return hash(passphrase.normalize('NFC'), {
    type: argon2id,
    raw: true,
    salt: Buffer.from(salt),
    hashLength: 32,
    memoryCost: memoryKiB,
    timeCost: passes,
    parallelism,
  })
}
