import { type EncryptionContext, PUBLIC_KEY_NAME } from '../crypto/context-pairs.ts'
import { DecryptionError } from '../errors.ts'
import type { KmsProvider } from '../kms.ts'
import { type Header, MAX_HEADER, MESSAGE_ID, parseHeader } from './header.ts'
import type { MessageInfo, OpenPlan } from './open-plan.ts'
import { describeRecipient, type Recipient, unwrapAny } from './recipients.ts'
import { DEFAULT_FRAME_LENGTH, RECIPIENTS_OF } from './seal-options.ts'

/** Suite of detached recipients: one that commits to its key. */
export const DETACHED_SUITE = 0x0478
/** Most bytes that detached recipients can have: a header, and a frame that holds one data key. */
export const MAX_DETACHED: number = MAX_HEADER + 4096

/** A data key that fits a header as far as lengths tell: only its commitment and tag prove it. The caller wipes it. */
export interface FoundDataKey {
  readonly dataKey: Uint8Array
  /** It came from recipients that were given beside the message, and opens this one message. */
  readonly detached: boolean
}

/** Opens a whole message, as `openMessage` does with checked options. */
export type OpenWhole = (
  providers: readonly KmsProvider[],
  message: Uint8Array,
  plan: OpenPlan,
) => Promise<MessageInfo & { readonly plaintext: Uint8Array }>

/**
 * Finds the data key of a message: from the recipients in its header, and from detached ones, which are asked for only
 * when none of those opened it. Specification, section 8.
 *
 * @param context what providers are given
 * @throws DecryptionError, KmsError: what the header's own recipients failed with counts first
 */
export async function findDataKey(
  header: Header,
  providers: readonly KmsProvider[],
  context: EncryptionContext,
  plan: OpenPlan,
  open: OpenWhole,
): Promise<FoundDataKey> {
  try {
    const dataKey = await unwrapAny(providers, header.recipients, context, header.suite.keyLength, plan.signal)
    return { dataKey, detached: false }
  } catch (error) {
    plan.signal?.throwIfAborted()
    if (header.suite.version === 1) throw error // without a commitment, they could hold a key that opens it to something else
    try {
      const message = await plan.recipients?.()
      if (message !== undefined)
        return { dataKey: await openDetached(message, header, providers, context, plan, open), detached: true }
    } catch (second) {
      if (error instanceof DecryptionError) throw second
    }
    throw error
  }
}

/** What detached recipients hold: version, suite, message id, and the data key. The caller wipes it. */
export function encodeDetached({ suite, messageId }: Header, dataKey: Uint8Array): Uint8Array {
  return Uint8Array.from([VERSION, suite.id >> 8, suite.id & 255, ...messageId, ...dataKey])
}

/** The pairs that detached recipients share with their message: all but the key that verifies its signature. */
export function sharedContext(context: EncryptionContext): Record<string, string> {
  const { [PUBLIC_KEY_NAME]: _, ...shared } = context
  return shared
}

/** How detached recipients name their message: its id in hexadecimal. */
export function nameOf({ messageId }: Header): string {
  return Array.from(messageId, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The recipients in `message` when it says that it is for the message of `header`. Nothing of it is verified. */
export function recipientsFor(header: Header, message: Uint8Array): readonly Recipient[] | undefined {
  try {
    const { context, recipients } = parseHeader(message, {
      maxRecipients: 0xffff,
      maxFrameLength: DEFAULT_FRAME_LENGTH,
    })
    return context.get(RECIPIENTS_OF) === nameOf(header) ? recipients.map(describeRecipient) : undefined
  } catch {
    return undefined
  }
}

const VERSION = 1
const KEY_AT = 1 + 2 + MESSAGE_ID

async function openDetached(
  message: Uint8Array,
  header: Header,
  providers: readonly KmsProvider[],
  context: EncryptionContext,
  plan: OpenPlan,
  open: OpenWhole,
): Promise<Uint8Array> {
  const expected = new Map(Object.entries(sharedContext(context))).set(RECIPIENTS_OF, nameOf(header))
  const opened = await open(providers, message, {
    ...plan,
    expected,
    maxFrameLength: DEFAULT_FRAME_LENGTH,
    legacySuites: false,
    application: undefined, // compared with the header of the message itself, as always
    recipients: undefined,
  })
  const { plaintext, suite } = opened
  try {
    const start = encodeDetached(header, NOTHING)
    const fits =
      suite === DETACHED_SUITE &&
      Object.keys(opened.context).length === expected.size &&
      plaintext.byteLength === KEY_AT + header.suite.keyLength &&
      start.every((byte, at) => byte === plaintext[at])
    if (!fits) throw new DecryptionError()
    return new Uint8Array(plaintext.subarray(KEY_AT))
  } finally {
    plaintext.fill(0)
  }
}

const NOTHING = new Uint8Array(0)
