import { encodePairs, PUBLIC_KEY_NAME, sortPairs } from '../../src/crypto/context-pairs.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { frameCount } from '../../src/messages/frame-layout.ts'
import { COMMITMENT, encodeHeader, MESSAGE_ID, ZERO_IV } from '../../src/messages/header.ts'
import { providerList, wrapForAll } from '../../src/messages/recipients.ts'
import { plaintextBytes, planSeal, type SealOptions, type SealPlan } from '../../src/messages/seal-options.ts'
import { deriveKeys } from './derivation.ts'
import { concat, type FrameCipher, headerTag, IN_FLIGHT, sealFrame } from './frames.ts'
import { createSigningKey, type SigningKey, signedFooter } from './signature.ts'
import { randomBytes } from './subtle.ts'

/** One message whose header is made: what its frames are sealed with. */
export interface StartedMessage {
  readonly header: Uint8Array
  readonly cipher: FrameCipher
  readonly signing: SigningKey | undefined
}

/**
 * Seals bytes or text into one self-contained message, the same as `sealMessage` of `strongroom` does.
 *
 * @param kms one provider, or up to ten; each becomes a recipient
 * @param plaintext not to be changed until the message is there
 * @returns the message: 92 bytes, context and recipients, 32 bytes per frame and 8 more
 * @throws InvalidInputError, KmsError; ConfigError where there is no WebCrypto
 */
export async function sealMessage(
  kms: KmsProvider | readonly KmsProvider[],
  plaintext: Uint8Array | string,
  options: SealOptions = {},
): Promise<Uint8Array> {
  const providers = providerList(kms)
  const plan = planSeal(options)
  const bytes = plaintextBytes(plaintext)
  const { frameLength } = plan
  const frames = frameCount(bytes.byteLength, frameLength)
  const { header, cipher, signing } = await startMessage(providers, plan, options.signal)
  const parts = [header]
  for (let first = 1; first <= frames; first += IN_FLIGHT) {
    options.signal?.throwIfAborted()
    const count = Math.min(IN_FLIGHT, frames - first + 1)
    const run = Array.from({ length: count }, (_, i) => {
      const seq = first + i
      const frame = bytes.subarray((seq - 1) * frameLength, seq * frameLength)
      return sealFrame(cipher, seq === frames ? 'final' : 'regular', seq, frame)
    })
    parts.push(...(await Promise.all(run)))
  }
  const message = concat(parts)
  return signing === undefined ? message : concat([message, await signedFooter(message, signing.privateKey)])
}

/** A fresh data key, wrapped for every provider, and the header that follows from it. */
export async function startMessage(
  providers: readonly KmsProvider[],
  plan: SealPlan,
  signal: AbortSignal | undefined,
): Promise<StartedMessage> {
  signal?.throwIfAborted()
  const signing = plan.suite.signature === undefined ? undefined : await createSigningKey()
  const context: Record<string, string> = { ...plan.context }
  const stored = [...plan.stored]
  if (signing !== undefined) {
    const text = new TextEncoder()
    context[PUBLIC_KEY_NAME] = signing.publicKey
    stored.push([text.encode(PUBLIC_KEY_NAME), text.encode(signing.publicKey)])
    sortPairs(stored)
  }
  const dataKey = randomBytes(plan.suite.keyLength)
  try {
    const recipients = await wrapForAll(providers, dataKey, context, signal)
    const body = encodeHeader(plan.suite.id, encodePairs(stored, 0xffff), recipients, plan.frameLength)
    const messageId = randomBytes(MESSAGE_ID)
    body.set(messageId, 3)
    const { key, commitment } = await deriveKeys(plan.suite, dataKey, messageId)
    body.set(commitment, body.length - COMMITMENT)
    const tag = await headerTag(key, ZERO_IV, concat([body, plan.unstored]))
    return { header: concat([body, tag]), cipher: { key, messageId }, signing }
  } finally {
    dataKey.fill(0)
  }
}
