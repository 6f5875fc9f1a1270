import { assertBytes, assertObject, assertSignal, assertText, describe } from './checks.ts'
import { InvalidInputError, KmsError } from './errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from './kms.ts'

/** Size of every key that Strongroom wraps, in bytes. */
const WRAPPED_KEY_LENGTH = 32

/**
 * Has a provider refuse arguments of another kind with InvalidInputError, before any work: its own methods are called with
 * a key of 32 bytes, a wrapped key and a call, whose context is an object. What is no wrapped key is not accepted.
 *
 * @param provider changed in place, so that a `keyId` that is read when it is asked for stays so
 */
export function checkedKms<Provider extends KmsProvider>(provider: Provider): Provider {
  const { wrap, unwrap, rewrap, accepts } = provider
  const checked: Pick<KmsProvider, 'wrap' | 'unwrap' | 'rewrap' | 'accepts'> = {
    async wrap(key, call) {
      assertKeyToWrap(key)
      assertCall(call)
      return wrap(key, call)
    },
    async unwrap(wrapped, call) {
      assertWrapped(wrapped)
      assertCall(call)
      return unwrap(wrapped, call)
    },
    accepts: (wrapped) => isNamed(wrapped) && accepts(wrapped),
  }
  if (rewrap === undefined) return Object.assign(provider, checked)
  return Object.assign(provider, checked, {
    async rewrap(wrapped: WrappedKey, call: KmsCall) {
      assertWrapped(wrapped)
      assertCall(call)
      return rewrap(wrapped, call)
    },
  })
}

/** Refuses a wrapped key that names a key which is not configured, before any call: the first line of a provider's `unwrap`. @throws KmsError */
export function assertAccepted(provider: Pick<KmsProvider, 'name' | 'accepts'>, wrapped: WrappedKey): void {
  if (provider.accepts(wrapped)) return
  throw new KmsError(provider.name, 'key-not-found', 'the wrapped key names a key that is not configured')
}

function assertKeyToWrap(key: unknown): void {
  if (key instanceof Uint8Array && key.byteLength === WRAPPED_KEY_LENGTH) return
  const received = key instanceof Uint8Array ? `${key.byteLength} bytes` : describe(key)
  throw new InvalidInputError(`a key to wrap must be ${WRAPPED_KEY_LENGTH} bytes, received ${received}`)
}

function assertWrapped(wrapped: WrappedKey): void {
  assertObject(wrapped, 'a wrapped key')
  assertText(wrapped.provider, 'the provider of a wrapped key')
  assertText(wrapped.keyId, 'the keyId of a wrapped key')
  assertBytes(wrapped.ciphertext, 'the ciphertext of a wrapped key')
}

function assertCall(call: KmsCall): void {
  assertObject(call, 'the call')
  if (!((call.context as unknown) instanceof Map)) assertObject(call.context, 'context')
  assertSignal(call.signal)
}

function isNamed(wrapped: Partial<WrappedKey> | null | undefined): boolean {
  return typeof wrapped?.provider === 'string' && typeof wrapped.keyId === 'string'
}
