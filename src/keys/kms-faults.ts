import { KmsError } from '../errors.ts'
import type { KmsProvider, WrappedKey } from '../kms.ts'

/** A service answered with a key that is not the one. */
export function differentKey({ name }: KmsProvider): KmsError {
  return new KmsError(name, 'invalid-ciphertext', 'returned a different key')
}

/** A different key before an outage, an outage before a refusal: the one that the caller must act on, or can wait out. */
export function mostTelling(errors: readonly KmsError[]): KmsError {
  const rank = (error: KmsError) => (error.message.endsWith('returned a different key') ? 0 : error.retryable ? 1 : 2)
  const [first, ...others] = [...errors].sort((a, b) => rank(a) - rank(b)) as [KmsError, ...KmsError[]]
  if (others.length === 0) return first
  const message = [first.message.slice(first.provider.length + 2), ...others.map((error) => error.message)]
  // The telling one last, so that its message still ends as it does alone.
  return new KmsError(first.provider, first.kind, message.reverse().join('; '), { cause: first })
}

/** No configured service is meant by any of these wraps. */
export function nobodyAccepts(providers: readonly KmsProvider[], wraps: readonly WrappedKey[]): KmsError {
  const names = wraps.map(({ provider, keyId }) => JSON.stringify(`${provider} ${keyId}`.slice(0, 200)))
  const have = providers.map(({ name, keyId }) => `${name} ${keyId}`).join(', ')
  const message = `no configured KMS key opens this: it is wrapped under ${names.join(', ') || 'nothing'}, and kms is ${have}`
  return new KmsError((providers[0] as KmsProvider).name, 'misconfigured', message)
}
