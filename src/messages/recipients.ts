import { assertMethods } from '../checks.ts'
import type { EncryptionContext } from '../crypto/context-pairs.ts'
import { ConfigError, DecryptionError, InvalidInputError, KmsError } from '../errors.ts'
import type { KmsProvider, WrappedKey } from '../kms.ts'
import type { EncryptedDataKey } from './header.ts'
import { u32At, utf8 } from './reader.ts'

/** Most recipients that are written, and that a reader accepts unless told otherwise. */
export const MAX_RECIPIENTS = 10

/** Who can open a message: the service, and its key as the message names it. */
export interface Recipient {
  readonly provider: string
  readonly keyId: string
}

/** One provider or several as a list. @throws ConfigError for none, or for more than a message may have */
export function providerList(kms: KmsProvider | readonly KmsProvider[]): readonly KmsProvider[] {
  const given: readonly KmsProvider[] = Array.isArray(kms) ? kms : [kms as KmsProvider]
  for (const provider of given) assertMethods(provider, ['wrap', 'unwrap', 'accepts'], 'a kms provider')
  const providers = given.filter((provider) => provider.recovery === undefined)
  if (providers.length < 1 || providers.length > MAX_RECIPIENTS) {
    throw new ConfigError(`a message needs 1 to ${MAX_RECIPIENTS} kms providers, received ${providers.length}`)
  }
  return providers
}

/** Wraps the data key for every provider: all of them, or an error. @throws KmsError */
export async function wrapForAll(
  providers: readonly KmsProvider[],
  dataKey: Uint8Array,
  context: EncryptionContext,
  signal: AbortSignal | undefined,
): Promise<{ provider: string; info: Uint8Array; ciphertext: Uint8Array }[]> {
  const call = signal === undefined ? { context } : { context, signal }
  return Promise.all(
    providers.map(async (provider) => {
      const wrapped = await provider.wrap(dataKey, call)
      if (!isWrappedKey(wrapped)) throw new KmsError(provider.name, 'misconfigured', 'it gave no wrapped key')
      const { info, ciphertext } = provider.recipient?.encode(wrapped) ?? {
        info: UTF8.encode(wrapped.keyId),
        ciphertext: wrapped.ciphertext,
      }
      for (const part of [UTF8.encode(wrapped.provider), info, ciphertext]) {
        if (part.byteLength > 0xffff)
          throw new KmsError(provider.name, 'misconfigured', 'its wrapped key is too long for a message')
      }
      return { provider: wrapped.provider, info, ciphertext }
    }),
  )
}

/** Whether a provider, which may be one of the application, gave what it promises. */
function isWrappedKey(wrapped: WrappedKey | undefined | null): boolean {
  const { provider, keyId, ciphertext } = wrapped ?? {}
  return typeof provider === 'string' && typeof keyId === 'string' && ciphertext instanceof Uint8Array
}

/**
 * Unwraps the data key with the first recipient that one of the providers is configured for. Others are never tried:
 * neither provider nor key is ever taken from the message.
 *
 * @throws DecryptionError when no configured key opens it
 * @throws KmsError when a service that might have opened it refused or failed for a reason of its own
 */
export async function unwrapAny(
  providers: readonly KmsProvider[],
  recipients: readonly EncryptedDataKey[],
  context: EncryptionContext,
  keyLength: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const call = signal === undefined ? { context } : { context, signal }
  let failure: unknown
  for (const recipient of recipients) {
    for (const provider of providers) {
      const wrapped = asWrappedKey(provider, recipient)
      if (wrapped === undefined || !provider.accepts(wrapped)) continue
      signal?.throwIfAborted()
      try {
        const dataKey = await provider.unwrap(wrapped, call)
        if (!(dataKey instanceof Uint8Array)) throw new KmsError(provider.name, 'misconfigured', 'it gave no key')
        if (dataKey.byteLength === keyLength) return dataKey
        dataKey.fill(0)
      } catch (error) {
        signal?.throwIfAborted()
        if (!dependsOnData(error)) failure = error
      }
    }
  }
  throw failure ?? new DecryptionError()
}

/** Names a recipient for people, whoever wrote it. */
export function describeRecipient({ provider, info }: EncryptedDataKey): Recipient {
  const nameEnd = info.length - RAW_AES_TAIL
  const isRawAes = nameEnd > 0 && u32At(info, nameEnd) === 128 && u32At(info, nameEnd + 4) === 12
  return { provider, keyId: LOSSY.decode(isRawAes ? info.subarray(0, nameEnd) : info) }
}

/** What the raw AES layout puts behind the key name: tag bits, length of the initialisation vector, and the vector. */
const RAW_AES_TAIL = 4 + 4 + 12
const UTF8 = new TextEncoder()
/** For people: the name of somebody else's key may be any bytes. */
const LOSSY = new TextDecoder('utf-8', { ignoreBOM: true })

function asWrappedKey(provider: KmsProvider, recipient: EncryptedDataKey): WrappedKey | undefined {
  if (recipient.provider !== provider.name) return undefined
  if (provider.recipient !== undefined) return provider.recipient.parse(recipient.info, recipient.ciphertext)
  try {
    return { provider: provider.name, keyId: utf8(recipient.info), ciphertext: recipient.ciphertext }
  } catch {
    return undefined
  }
}

/** Whether an unwrap failed because of what the message holds, and not because the service is away or says no. */
function dependsOnData(error: unknown): boolean {
  if (error instanceof KmsError) return error.kind === 'invalid-ciphertext' || error.kind === 'context-mismatch'
  return error instanceof InvalidInputError || error instanceof DecryptionError
}
