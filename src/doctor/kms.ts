import { equalBytes, wipe } from '../bytes.ts'
import type { EncryptionContext } from '../crypto/context.ts'
import { randomBytes } from '../crypto/random.ts'
import { KmsError, type KmsErrorKind } from '../errors.ts'
import type { KmsProvider, WrappedKey } from '../kms.ts'
import { type Finding, finding, messageOf } from './finding.ts'
import { type Timed, timed } from './timed.ts'

/** What to do about each kind of failure. Providers say in their message which permission of which key is missing. */
const HINTS: Readonly<Record<KmsErrorKind, string>> = {
  throttled: 'the service is limiting calls: ask for a higher quota, or see what else calls it',
  unavailable: 'check the network, the address and the status page of the service',
  denied: 'grant the permission that the message names to the identity this process runs as',
  'key-disabled': 'enable the key again, or rewrap under another while an older one still opens',
  'key-not-found': 'check the key id, the account and the region in the configuration',
  'context-mismatch': 'the service did not give back what it was given under one context: report it',
  'invalid-ciphertext': 'the service did not open what it made itself: check the type of the key',
  misconfigured: 'change the configuration as the message says',
}

/** Wraps a random key, opens it again, and tries to open it under a wrong context, which must fail. */
export async function examineKms(provider: KmsProvider, storeName: string, timeoutMs: number): Promise<Finding[]> {
  const subject = subjectOf(provider)
  const context = { 'strongroom:purpose': 'doctor', 'strongroom:store': storeName }
  const key = randomBytes(32)
  try {
    const wrap = await timed(timeoutMs, (signal) => provider.wrap(key, { context, signal }))
    if ('error' in wrap) return [failed('kms.wrap', subject, wrap)]
    const wrapped = wrap.value
    const found = [finding('kms.wrap', subject, 'ok', `wrapped a key under ${wrapped.keyId}`, { ms: wrap.ms })]
    if (!provider.accepts(wrapped)) {
      found.push(finding('kms.wrap', subject, 'problem', 'does not accept what it wrapped itself'))
    }
    if (provider.recovery !== undefined) return found // its private half is in no machine
    const unwrap = await unwrapped(provider, wrapped, context, timeoutMs)
    if ('error' in unwrap) return [...found, failed('kms.unwrap', subject, unwrap)]
    const same = equalBytes(unwrap.value, key)
    wipe(unwrap.value)
    found.push(
      same
        ? finding('kms.unwrap', subject, 'ok', 'opened it again', { ms: unwrap.ms })
        : finding('kms.unwrap', subject, 'problem', 'gave back another key than it was given', {
            hint: 'do not use this service: it would destroy data',
          }),
    )
    found.push(await examineBinding(provider, wrapped, context, timeoutMs))
    return found
  } finally {
    wipe(key)
  }
}

/** How a KMS key is called in findings. */
export function subjectOf({ name, keyId }: KmsProvider): string {
  return `${name} ${keyId}`
}

/** A call that failed, with what to do about it. */
export function failed(check: string, subject: string, { error, ms }: { error: unknown; ms: number }): Finding {
  const hint = error instanceof KmsError ? HINTS[error.kind] : undefined
  return finding(check, subject, 'problem', messageOf(error), { hint, ms })
}

/** Opens a wrapped key, timed. */
export function unwrapped(
  provider: KmsProvider,
  wrapped: WrappedKey,
  context: EncryptionContext,
  timeoutMs: number,
): Promise<Timed<Uint8Array>> {
  return timed(timeoutMs, (signal) => provider.unwrap(wrapped, { context, signal }))
}

async function examineBinding(
  provider: KmsProvider,
  wrapped: WrappedKey,
  context: EncryptionContext,
  timeoutMs: number,
): Promise<Finding> {
  const subject = subjectOf(provider)
  const wrong = { ...context, 'strongroom:purpose': 'another' }
  const probe = await unwrapped(provider, wrapped, wrong, timeoutMs)
  if ('value' in probe) {
    wipe(probe.value)
    return finding('kms.context', subject, 'problem', 'opened a key under a wrong context: the context is not bound', {
      hint: 'use a key or service that authenticates the context, and rewrap',
    })
  }
  const { error, ms } = probe
  const refused = error instanceof KmsError && ['context-mismatch', 'invalid-ciphertext'].includes(error.kind)
  return refused
    ? finding('kms.context', subject, 'ok', 'refused a wrong context', { ms })
    : finding('kms.context', subject, 'skipped', `cannot be told: ${messageOf(error)}`, { ms })
}
