import { Buffer } from 'node:buffer'
import { sign } from 'node:crypto'
import { assertBytes, assertText, describe, wipe } from '../bytes.ts'
import { contextPairs, type EncryptionContext, encodePairs, PUBLIC_KEY_NAME } from '../crypto/context.ts'
import { randomBytes, randomInto } from '../crypto/random.ts'
import { InvalidInputError } from '../errors.ts'
import type { KmsProvider } from '../kms.ts'
import { deriveKeys } from './derivation.ts'
import {
  FINAL_OVERHEAD,
  type FrameCipher,
  frameCipher,
  headerTag,
  MAX_FRAMES,
  REGULAR_OVERHEAD,
  sealFrame,
} from './frames.ts'
import { COMMITMENT, encodeHeader, MESSAGE_ID, TAG, ZERO_IV } from './header.ts'
import { wrapForAll } from './recipients.ts'
import { createSigningKey, type SigningKey } from './signature.ts'
import { type MessageSuite, type Suite, suites } from './suites.ts'

/** Bytes of plaintext per frame unless the caller chooses; the AWS Encryption SDK's own default is 4,096. */
export const DEFAULT_FRAME_LENGTH = 65_536
/** Longest frame that is written, and that a reader accepts unless told otherwise. */
export const MAX_FRAME_LENGTH = 67_108_864

/** How a message is sealed. */
export interface SealOptions {
  /** Bound to the message and readable by everybody who holds it: opaque ids, no personal data. At most 64 pairs and 8,192 bytes. */
  readonly context?: EncryptionContext
  /** Names of pairs in `context` that are bound but not written into the message; whoever opens it must give them again. */
  readonly unstored?: readonly string[]
  /** 0x0478 (the default) commits to its key; 0x0578 also signs the message with a key pair of its own. */
  readonly suite?: MessageSuite
  /** Bytes of plaintext per frame, 1 to 67,108,864. Default 65,536. */
  readonly frameLength?: number
  /** Aborts the calls to the key management service, and a stream at any time. */
  readonly signal?: AbortSignal
}

/** Options that were checked, and what the context comes to. */
export interface SealPlan {
  readonly suite: Suite
  readonly frameLength: number
  readonly context: EncryptionContext
  readonly stored: readonly (readonly [Buffer, Buffer])[]
  /** Encoded pairs that the header tag covers although they are not written. */
  readonly unstored: Buffer
  /** Equal for two messages exactly when suite, context and `unstored` are. */
  readonly id: string
}

/** What seals messages: a data key, and a header for its recipients. */
export interface SealMaterials {
  readonly suite: Suite
  readonly dataKey: Buffer
  readonly template: Buffer
  readonly unstored: Buffer
  readonly signing: SigningKey | undefined
}

/** One message whose header is made: what its frames are sealed with. The caller wipes `cipher.key`. */
export interface StartedMessage {
  readonly header: Buffer
  readonly cipher: FrameCipher
  readonly frameLength: number
  readonly signing: SigningKey | undefined
}

/**
 * Checks everything that can be wrong with the options, before any work.
 *
 * @param application name of the Strongroom that seals, which the context then carries
 * @throws InvalidInputError
 */
export function planSeal(options: SealOptions, application?: string): SealPlan {
  const { unstored = [], suite = 0x0478, frameLength = DEFAULT_FRAME_LENGTH } = options
  const context = withApplication(options.context ?? {}, application)
  if (suite !== 0x0478 && suite !== 0x0578) {
    throw new InvalidInputError('suite must be 0x0478 or 0x0578: older suites can be opened, not sealed')
  }
  if (!Number.isSafeInteger(frameLength) || frameLength < 1 || frameLength > MAX_FRAME_LENGTH) {
    throw new InvalidInputError(
      `frameLength must be a whole number from 1 to ${MAX_FRAME_LENGTH}, received ${describe(frameLength)}`,
    )
  }
  const pairs = contextPairs(context)
  const hidden: [Buffer, Buffer][] = []
  const stored: [Buffer, Buffer][] = []
  const names = unstored.length === 0 ? undefined : new Set(unstored)
  for (const pair of pairs) {
    const name = pair[0].toString('utf8')
    if (name === PUBLIC_KEY_NAME) throw new InvalidInputError(`a context name must not be "${PUBLIC_KEY_NAME}"`)
    if (names?.delete(name)) hidden.push(pair)
    else stored.push(pair)
  }
  if (names !== undefined && names.size > 0) throw new InvalidInputError('unstored must name pairs of the context')
  const whole = encodePairs(pairs, MAX_CONTEXT)
  const hiddenBytes = hidden.length === 0 ? NOTHING : encodePairs(hidden, MAX_CONTEXT)
  const id = `${suite} ${hiddenBytes.length} ${hiddenBytes.toString('latin1')}${whole.toString('latin1')}`
  return { suite: suites.get(suite) as Suite, frameLength, context, stored, unstored: hiddenBytes, id }
}

/** Text as UTF-8, bytes as they are. @throws InvalidInputError */
export function plaintextBytes(plaintext: Uint8Array | string): Uint8Array {
  if (typeof plaintext === 'string') {
    assertText(plaintext, 'plaintext')
    return Buffer.from(plaintext, 'utf8')
  }
  assertBytes(plaintext, 'plaintext')
  return plaintext
}

/** A fresh data key, wrapped for every provider: one call to each. */
export async function createMaterials(
  providers: readonly KmsProvider[],
  plan: SealPlan,
  signal: AbortSignal | undefined,
): Promise<SealMaterials> {
  signal?.throwIfAborted()
  const signing = plan.suite.signature === undefined ? undefined : createSigningKey()
  const dataKey = randomBytes(plan.suite.keyLength)
  try {
    const context: Record<string, string> = { ...plan.context }
    const stored = [...plan.stored]
    if (signing !== undefined) {
      context[PUBLIC_KEY_NAME] = signing.publicKey
      stored.push([Buffer.from(PUBLIC_KEY_NAME), Buffer.from(signing.publicKey)])
      stored.sort(([a], [b]) => Buffer.compare(a, b))
    }
    const recipients = await wrapForAll(providers, dataKey, context, signal)
    const template = encodeHeader(plan.suite.id, encodePairs(stored, 0xffff), recipients, plan.frameLength)
    return { suite: plan.suite, dataKey, template, unstored: plan.unstored, signing }
  } catch (error) {
    wipe(dataKey)
    throw error
  }
}

/** Makes the header of one message. `messageId` is given by tests alone; it must never repeat under one data key. */
export function startMessage(materials: SealMaterials, frameLength: number, messageId?: Uint8Array): StartedMessage {
  const { suite, template, dataKey } = materials
  const header = Buffer.allocUnsafe(template.length + TAG)
  template.copy(header)
  if (messageId === undefined) randomInto(header, 3, MESSAGE_ID)
  else header.set(messageId, 3)
  const id = header.subarray(3, 3 + MESSAGE_ID)
  const { key, commitment } = deriveKeys(suite, dataKey, id)
  const commitmentAt = template.length - COMMITMENT
  header.writeUInt32BE(frameLength, commitmentAt - 4)
  commitment.copy(header, commitmentAt)
  const body = header.subarray(0, template.length)
  const tag =
    materials.unstored.length === 0
      ? headerTag(suite, key, ZERO_IV, body)
      : headerTag(suite, key, ZERO_IV, body, materials.unstored)
  tag.copy(header, template.length)
  return { header, cipher: frameCipher(suite, key, id), frameLength, signing: materials.signing }
}

/** How many frames hold this many bytes, the final one included. @throws InvalidInputError when there would be too many */
export function frameCount(bytes: number, frameLength: number): number {
  const count = Math.max(1, Math.ceil(bytes / frameLength))
  if (count > MAX_FRAMES)
    throw new InvalidInputError('a message has at most 4,294,967,295 frames: choose longer frames')
  return count
}

/** Seals a whole message in memory. Runs without a pause, so cached materials cannot be wiped under it. */
export function sealBytes(
  materials: SealMaterials,
  plaintext: Uint8Array,
  frameLength: number,
  messageId?: Uint8Array,
): Buffer {
  const frames = frameCount(plaintext.byteLength, frameLength)
  const { header, cipher, signing } = startMessage(materials, frameLength, messageId)
  const bodyLength = (frames - 1) * REGULAR_OVERHEAD + FINAL_OVERHEAD + plaintext.byteLength
  const out = Buffer.allocUnsafe(header.length + bodyLength)
  let at = header.copy(out)
  for (let seq = 1; seq < frames; seq++) {
    const from = (seq - 1) * frameLength
    at = sealFrame(cipher, 'regular', seq, plaintext.subarray(from, from + frameLength), out, at)
  }
  sealFrame(cipher, 'final', frames, plaintext.subarray((frames - 1) * frameLength), out, at)
  wipe(cipher.key)
  return signing === undefined ? out : Buffer.concat([out, footer(sign('sha384', out, signing.privateKey))])
}

/** The footer of a signed message: u16 length, then the signature in DER. */
export function footer(signature: Buffer): Buffer {
  const out = Buffer.alloc(2 + signature.length)
  signature.copy(out, out.writeUInt16BE(signature.length, 0))
  return out
}

/** The pair that says which application sealed a message, so that two that share a key never read each other's. */
export const APPLICATION_NAME = 'strongroom'

const MAX_CONTEXT = 8192
const NOTHING = Buffer.alloc(0)

/** A copy as a plain object, so that what is checked is what is bound, whatever the caller does meanwhile. */
function withApplication(context: EncryptionContext, application: string | undefined): EncryptionContext {
  if (typeof context !== 'object' || context === null || Array.isArray(context)) {
    throw new InvalidInputError(`context must be an object of strings, received ${describe(context)}`)
  }
  const own: EncryptionContext = context instanceof Map ? Object.fromEntries(context) : { ...context }
  if (application === undefined) return own
  if (Object.hasOwn(own, APPLICATION_NAME)) {
    throw new InvalidInputError(
      `the context name "${APPLICATION_NAME}" is taken: it carries the name of the application`,
    )
  }
  return { ...own, [APPLICATION_NAME]: application }
}
