import type { EncryptionContext } from './crypto/context.ts'

/** A key as a key management service wrapped it: safe to store, useless without that service. */
export interface WrappedKey {
  /** Which kind of service wrapped it, for example `aws-kms`; the provider id of a sealed message. At most 64 characters. */
  readonly provider: string
  /** The wrapping key, as the service names it, with its version where it has one. At most 2,048 characters. */
  readonly keyId: string
  /** Opaque to everybody but the service. At most 8,192 bytes. */
  readonly ciphertext: Uint8Array
}

/** What every call to a key management service carries. */
export interface KmsCall {
  /** Bound to the wrapped key: unwrapping under another context must fail. Not secret; services log it. */
  readonly context: EncryptionContext
  /** Aborts the call; the provider rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * A key management service: wraps and unwraps keys under a key that never leaves it. This is all that a back-end
 * implements; retries, caching and several back-ends at once are built on top of it.
 *
 * A provider keeps no state between calls, never retries, and never takes a host, region or key from a wrapped key.
 * Prove yours with `kmsConformance` from `strongroom/testing`.
 */
export interface KmsProvider {
  /** The provider id that its wrapped keys carry. Must not start with `aws-kms` unless it is AWS KMS. */
  readonly name: string
  /** The configured wrapping key, for people: an id, alias or path. Never a secret. */
  readonly keyId: string

  /**
   * Wraps a key.
   *
   * @param key 32 bytes; not kept and not changed
   * @throws KmsError
   */
  wrap(key: Uint8Array, call: KmsCall): Promise<WrappedKey>

  /**
   * Unwraps a key that `accepts` took.
   *
   * @returns what was wrapped, in memory of its own, which the caller wipes. That is 32 bytes for everything Strongroom
   *   made; messages that others made under older suites hold keys of 16 or 24, so the caller checks the length
   * @throws KmsError `context-mismatch` or `invalid-ciphertext` when it was wrapped under another context or changed
   */
  unwrap(wrapped: WrappedKey, call: KmsCall): Promise<Uint8Array>

  /** Whether this provider is configured for the key that a wrapped key names. Makes no call. */
  accepts(wrapped: WrappedKey): boolean

  /**
   * Wraps the same key under the newest version of the wrapping key inside the service, so that the key never comes out.
   * Only for services that can; without it the caller unwraps and wraps again.
   *
   * @param wrapped a key that `accepts` took
   * @throws KmsError as `unwrap`
   */
  rewrap?(wrapped: WrappedKey, call: KmsCall): Promise<WrappedKey>

  /** How its wrapped keys stand in a sealed message, where that is not the default (`keyId` as UTF-8, then the ciphertext). */
  readonly recipient?: RecipientLayout

  /**
   * Set by a provider that only wraps, because its private half is in no machine: it is given every root key, never asked
   * to unwrap, and takes no part in sealed messages.
   */
  readonly recovery?: RecoveryHalf

  /** Frees connections and wipes local secrets. Called by `Strongroom.close`. */
  close?(): Promise<void>
}

/** The public half of a recovery key. */
export interface RecoveryHalf {
  /** 32 bytes, X25519 */
  readonly publicKey: Uint8Array
  /** The provider that unwraps too. @param privateKey 32 bytes; copied @throws KmsError when it is not of this public key */
  open(privateKey: Uint8Array): KmsProvider
}

/** A wrapped key as the AWS Encryption SDK message format lays it out: provider information and encrypted data key. */
export interface RecipientLayout {
  /** @returns the key provider information and the encrypted data key, each at most 65,535 bytes */
  encode(wrapped: WrappedKey): { info: Uint8Array; ciphertext: Uint8Array }
  /** @returns undefined when the bytes are not of this layout */
  parse(info: Uint8Array, ciphertext: Uint8Array): WrappedKey | undefined
}
