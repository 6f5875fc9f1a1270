import { wipe } from '../bytes.ts'
import type { KmsProvider } from '../kms.ts'
import { type OpenedMessage, openBuffered } from './open.ts'
import { type OpenOptions, planOpen } from './open-plan.ts'
import { providerList } from './recipients.ts'
import { createMaterials, sealBytes } from './seal.ts'
import { plaintextBytes, planSeal, type SealOptions } from './seal-options.ts'

/**
 * Seals bytes or text into one self-contained message in the AWS Encryption SDK format, under a data key of its own
 * that every provider wraps. Reading it takes one of those providers and the `unstored` pairs, nothing else.
 *
 * @param kms one provider, or up to ten; each becomes a recipient
 * @returns the message: 92 bytes, context and recipients, 32 bytes per frame and 8 more
 * @throws InvalidInputError, KmsError
 */
export async function sealMessage(
  kms: KmsProvider | readonly KmsProvider[],
  plaintext: Uint8Array | string,
  options: SealOptions = {},
): Promise<Buffer> {
  const providers = providerList(kms)
  const plan = planSeal(options)
  const bytes = plaintextBytes(plaintext)
  const materials = await createMaterials(providers, plan, options.signal)
  try {
    return sealBytes(materials, bytes, plan.frameLength)
  } finally {
    wipe(materials.dataKey)
  }
}

/**
 * Opens a message that is whole in memory. Nothing is returned before every tag, the signature and the end are checked.
 *
 * @param kms the providers that may open it; a key that the message names is used only when one of them is configured for it
 * @throws DecryptionError whatever is wrong with the message, or when none of the providers is a recipient
 * @returns the plaintext, with what the message says of itself
 * @throws KmsError when the service that holds the key is away or says no; InvalidInputError
 */
export async function openMessage(
  kms: KmsProvider | readonly KmsProvider[],
  message: Uint8Array,
  options: OpenOptions = {},
): Promise<OpenedMessage> {
  return openBuffered(providerList(kms), message, planOpen(options))
}
