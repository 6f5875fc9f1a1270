import { assertArray, assertBytes, assertObject, assertSignal, assertText, describe } from '../checks.ts'
import {
  contextPairs,
  type EncryptionContext,
  encodePairs,
  MAX_CONTEXT,
  PUBLIC_KEY_NAME,
} from '../crypto/context-pairs.ts'
import { InvalidInputError } from '../errors.ts'
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
  readonly stored: readonly (readonly [Uint8Array, Uint8Array])[]
  /** All pairs encoded, written or not. */
  readonly whole: Uint8Array
  /** Encoded pairs that the header tag covers although they are not written. */
  readonly unstored: Uint8Array
}

/**
 * Checks everything that can be wrong with the options, before any work.
 *
 * @param application name of the Strongroom that seals, which the context then carries
 * @param recipientsOf for detached recipients: the message that they belong to
 * @throws InvalidInputError
 */
export function planSeal(options: SealOptions, application?: string, recipientsOf?: string): SealPlan {
  assertObject(options, 'the options')
  assertSignal(options.signal)
  const { unstored = [], suite = 0x0478, frameLength = DEFAULT_FRAME_LENGTH } = options
  assertArray(unstored, 'unstored')
  const { context: given = {} } = options
  const context = withReserved(given, application, recipientsOf)
  if (suite !== 0x0478 && suite !== 0x0578) {
    throw new InvalidInputError('suite must be 0x0478 or 0x0578: older suites can be opened, not sealed')
  }
  if (!Number.isSafeInteger(frameLength) || frameLength < 1 || frameLength > MAX_FRAME_LENGTH) {
    throw new InvalidInputError(
      `frameLength must be a whole number from 1 to ${MAX_FRAME_LENGTH}, received ${describe(frameLength)}`,
    )
  }
  const pairs = contextPairs(context)
  const hidden: [Uint8Array, Uint8Array][] = []
  const stored: [Uint8Array, Uint8Array][] = []
  const names = unstored.length === 0 ? undefined : new Set(unstored)
  for (const pair of pairs) {
    const name = UTF8_TEXT.decode(pair[0])
    if (name === PUBLIC_KEY_NAME) throw new InvalidInputError(`a context name must not be "${PUBLIC_KEY_NAME}"`)
    if (names?.delete(name)) hidden.push(pair)
    else stored.push(pair)
  }
  if (names !== undefined && names.size > 0) throw new InvalidInputError('unstored must name pairs of the context')
  const whole = encodePairs(pairs, MAX_CONTEXT)
  const hiddenBytes = hidden.length === 0 ? NOTHING : encodePairs(hidden, MAX_CONTEXT)
  return { suite: suites.get(suite) as Suite, frameLength, context, stored, whole, unstored: hiddenBytes }
}

/** Text as UTF-8, bytes as they are. @throws InvalidInputError */
export function plaintextBytes(plaintext: Uint8Array | string): Uint8Array {
  if (typeof plaintext === 'string') {
    assertText(plaintext, 'plaintext')
    return UTF8.encode(plaintext)
  }
  assertBytes(plaintext, 'plaintext')
  return plaintext
}

/** The pair that says which application sealed a message, so that two that share a key never read each other's. */
export const APPLICATION_NAME = 'strongroom'
/**
 * The pair that makes a message the detached recipients of another, whose id is its value. Nobody else may set it, and
 * nothing that carries it is opened as a message: its plaintext is a data key.
 */
export const RECIPIENTS_OF = 'strongroom-recipients-of'

const NOTHING = new Uint8Array(0)
const UTF8 = new TextEncoder()
const UTF8_TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

/** A copy as a plain object, so that what is checked is what is bound, whatever the caller does meanwhile. */
function withReserved(
  context: EncryptionContext,
  application: string | undefined,
  recipientsOf: string | undefined,
): EncryptionContext {
  if (!(context instanceof Map)) assertObject(context, 'context')
  const own: EncryptionContext = context instanceof Map ? Object.fromEntries(context) : { ...context }
  if (Object.hasOwn(own, RECIPIENTS_OF)) {
    throw new InvalidInputError(`the context name "${RECIPIENTS_OF}" is taken: it belongs to detached recipients`)
  }
  if (recipientsOf !== undefined) return { ...own, [RECIPIENTS_OF]: recipientsOf }
  if (application === undefined) return own
  if (Object.hasOwn(own, APPLICATION_NAME)) {
    throw new InvalidInputError(
      `the context name "${APPLICATION_NAME}" is taken: it carries the name of the application`,
    )
  }
  return { ...own, [APPLICATION_NAME]: application }
}
