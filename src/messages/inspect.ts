import type { Buffer } from 'node:buffer'
import { asBuffer, assertBytes } from '../bytes.ts'
import { PUBLIC_KEY_NAME } from '../crypto/context-pairs.ts'
import { recipientsFor } from './detached.ts'
import { parseHeader } from './header.ts'
import { assertSource, bodyLayout, type RangeSource, readHeader } from './range.ts'
import { describeRecipient, type Recipient } from './recipients.ts'

/** What a message says of itself. Nothing of it is verified: that takes a key. */
export interface MessageSummary {
  /** Format version, 1 or 2. */
  readonly version: number
  /** The number of the algorithm suite in the specification, `0x0478` for example. */
  readonly suite: number
  /** Whether it ends with a signature, which covers the whole. */
  readonly signed: boolean
  /** 32 or 64 hexadecimal characters. */
  readonly messageId: string
  readonly recipients: readonly Recipient[]
  /** Those in the detached recipients beside it: undefined when nothing is there, empty when that is not for this message. */
  readonly detached: readonly Recipient[] | undefined
  /** The pairs that it stores. */
  readonly context: Readonly<Record<string, string>>
  /** Bytes of plaintext per frame; 0 for a message without frames. */
  readonly frameLength: number
  /** Bytes of the header, its tag included. */
  readonly headerLength: number
  /** Bytes of the whole message. */
  readonly size: number
  /** Undefined where only reading the body tells: signed messages, and those without frames. */
  readonly frames: number | undefined
  /** Bytes of plaintext; undefined where `frames` is. */
  readonly plaintextLength: number | undefined
}

/**
 * Reads the header of a message and opens nothing.
 *
 * @param message its bytes, or where they can be read: `fileSource` for a file
 * @throws DecryptionError when it is not the start of a message; InvalidInputError when it is neither
 */
export async function inspectMessage(message: Uint8Array | RangeSource): Promise<MessageSummary> {
  if (message instanceof Uint8Array) assertBytes(message, 'message')
  const source = message instanceof Uint8Array ? bytesSource(asBuffer(message)) : message
  assertSource(source)
  const header = parseHeader(await readHeader(source, 0xffff), { maxRecipients: 0xffff, maxFrameLength: 0xffffffff })
  const beside = await source.recipients?.().catch(() => UNREADABLE)
  const { suite, messageId, frameLength, framed, length } = header
  const signed = suite.signature !== undefined
  const layout = framed && !signed ? bodyLayout(source.size - length, frameLength) : undefined
  const context: Record<string, string> = Object.create(null)
  for (const [name, value] of header.context) if (name !== PUBLIC_KEY_NAME) context[name] = value
  return {
    version: suite.version,
    suite: suite.id,
    signed,
    messageId: asBuffer(messageId).toString('hex'),
    recipients: header.recipients.map(describeRecipient),
    detached: beside && (recipientsFor(header, beside) ?? []),
    context,
    frameLength,
    headerLength: length,
    size: source.size,
    frames: layout?.frames,
    plaintextLength: layout?.plaintextLength,
  }
}

const UNREADABLE = new Uint8Array(0)

/** Bytes in memory as a source of ranges. */
export function bytesSource(bytes: Buffer): RangeSource {
  return { size: bytes.length, read: async (position, length) => bytes.subarray(position, position + length) }
}
