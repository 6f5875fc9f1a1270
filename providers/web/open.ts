import { assertBytes } from '../../src/checks.ts'
import { DecryptionError } from '../../src/errors.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { findDataKey } from '../../src/messages/detached.ts'
import type { Header } from '../../src/messages/header.ts'
import { MessageReader } from '../../src/messages/message-reader.ts'
import {
  assertExpected,
  assertPolicy,
  boundContext,
  type MessageInfo,
  messageInfo,
  type OpenOptions,
  type OpenPlan,
  planOpen,
} from '../../src/messages/open-plan.ts'
import { providerList } from '../../src/messages/recipients.ts'
import { openKey } from './derivation.ts'
import { assertHeaderTag, concat, type FrameCipher, IN_FLIGHT, openFrame } from './frames.ts'
import { assertSignature } from './signature.ts'

/** A message that was opened: its plaintext, and what it is bound to. */
export interface OpenedMessage extends MessageInfo {
  readonly plaintext: Uint8Array
}

/** A message whose header is authenticated. */
export interface OpenedHeader {
  readonly cipher: FrameCipher
  readonly info: MessageInfo
  /** Verifies the footer; undefined when the suite has none. */
  readonly publicKey: string | undefined
}

/**
 * Opens a message that is whole in memory, with the checks of `openMessage` of `strongroom` in the same order. Nothing
 * is returned before every tag, the signature and the end are checked.
 *
 * @param kms the providers that may open it; a key that the message names is used only when one of them is configured for it
 * @param message not to be changed until it is open
 * @throws DecryptionError whatever is wrong with the message, or when none of the providers is a recipient
 * @throws KmsError when a provider that might open it refuses; ConfigError where WebCrypto, or a length of key, is missing
 */
export async function openMessage(
  kms: KmsProvider | readonly KmsProvider[],
  message: Uint8Array,
  options: OpenOptions = {},
): Promise<OpenedMessage> {
  const providers = providerList(kms)
  return openWhole(providers, message, planOpen(options))
}

async function openWhole(
  providers: readonly KmsProvider[],
  message: Uint8Array,
  plan: OpenPlan,
): Promise<OpenedMessage> {
  assertBytes(message, 'message')
  const reader = new MessageReader(plan)
  reader.add(message)
  const header = reader.header()
  if (header === undefined) throw new DecryptionError()
  const { cipher, info, publicKey } = await openHeader(header, providers, plan)
  let signedEnd = header.length
  reader.start(header, (bytes) => {
    signedEnd += bytes.byteLength
  })
  const frames: Uint8Array[] = []
  try {
    for (let run = nextRun(reader, cipher); run.length > 0; run = nextRun(reader, cipher)) {
      plan.signal?.throwIfAborted()
      frames.push(...(await allOrNothing(run)))
    }
    if (publicKey !== undefined) {
      if (reader.signature === undefined) throw new DecryptionError()
      await assertSignature(header.suite, publicKey, message.subarray(0, signedEnd), reader.signature)
    }
    reader.end()
    if (frames.length === 1) return { plaintext: frames.pop() as Uint8Array, ...info }
    return { plaintext: concat(frames), ...info }
  } finally {
    for (const frame of frames) frame.fill(0)
  }
}

/** Goes from a parsed header to an authenticated one, in the order of the specification, section 6. @throws DecryptionError, KmsError */
export async function openHeader(
  header: Header,
  providers: readonly KmsProvider[],
  plan: OpenPlan,
): Promise<OpenedHeader> {
  assertPolicy(header.suite, header, plan)
  const { context, unstored } = boundContext(header, plan)
  const { dataKey } = await findDataKey(header, providers, context, plan, openWhole)
  try {
    const key = await openKey(header, dataKey)
    await assertHeaderTag(key, header, unstored)
    const publicKey = assertExpected(header, plan)
    return { cipher: { key, messageId: header.messageId }, info: messageInfo(header, plan), publicKey }
  } finally {
    dataKey.fill(0)
  }
}

/** The next frames, all in work at once; those that follow a wrong one are not handed out. */
export function nextRun(reader: MessageReader, cipher: FrameCipher): Promise<Uint8Array>[] {
  const run: Promise<Uint8Array>[] = []
  while (run.length < IN_FLIGHT) {
    const part = reader.next()
    if (part === undefined) break
    const opened = openFrame(cipher, part)
    opened.catch(() => {}) // when a later part is no part at all, nobody waits for this one
    run.push(opened)
  }
  return run
}

/** @throws DecryptionError when one of them did not open */
export async function allOrNothing(run: readonly Promise<Uint8Array>[]): Promise<Uint8Array[]> {
  const ended = await Promise.allSettled(run)
  const frames = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (frames.length === ended.length) return frames
  for (const frame of frames) frame.fill(0)
  throw new DecryptionError()
}
