import type { KeyObject } from 'node:crypto'
import { equalBytes, wipe } from '../bytes.ts'
import { DecryptionError } from '../errors.ts'
import { openKey } from './derivation.ts'
import { type FrameCipher, frameCipher, headerTag } from './frames.ts'
import type { Header } from './header.ts'
import { assertExpected, assertPolicy, type MessageInfo, messageInfo, type OpenPlan } from './open-plan.ts'
import { parseVerificationKey } from './signature.ts'
import type { Suite } from './suites.ts'

/** A data key that opened a message, with the suite it was unwrapped for. */
export interface OpenMaterials {
  readonly suite: Suite
  readonly dataKey: Uint8Array
}

/** A message whose header is authenticated. The caller wipes `cipher.key`. */
export interface OpenedHeader {
  readonly cipher: FrameCipher
  readonly info: MessageInfo
  /** Verifies the footer; undefined when the suite has none. */
  readonly verificationKey: KeyObject | undefined
}

/**
 * Proves a data key and a header by each other: policy, commitment, header tag, expected context.
 *
 * @param unstored the encoded pairs that are bound and not written in the header
 * @throws DecryptionError whichever of them fails
 */
export function authenticate(
  header: Header,
  materials: OpenMaterials,
  unstored: Uint8Array,
  plan: OpenPlan,
): OpenedHeader {
  // Again after the cache: what it held must not weaken what the message was refused or accepted for.
  assertPolicy(materials.suite, header, plan)
  const key = openKey(header, materials.dataKey)
  try {
    const tag =
      unstored.length === 0
        ? headerTag(header.suite, key, header.iv, header.body)
        : headerTag(header.suite, key, header.iv, header.body, unstored)
    if (!equalBytes(tag, header.tag)) throw new DecryptionError()
    const publicKey = assertExpected(header, plan)
    const { signature } = header.suite
    return {
      cipher: frameCipher(header.suite, key, header.messageId),
      info: messageInfo(header, plan),
      verificationKey:
        signature && publicKey !== undefined ? parseVerificationKey(publicKey, signature.curve) : undefined,
    }
  } catch (error) {
    wipe(key)
    throw error
  }
}
