import { assertBytes, assertFlag, assertObject, assertSignal } from '../checks.ts'
import { contextPairs, type EncryptionContext, encodePairs, PUBLIC_KEY_NAME } from '../crypto/context-pairs.ts'
import { DecryptionError, InvalidInputError } from '../errors.ts'
import type { Header, HeaderLimits } from './header.ts'
import { describeRecipient, MAX_RECIPIENTS, type Recipient } from './recipients.ts'
import { APPLICATION_NAME, MAX_FRAME_LENGTH, RECIPIENTS_OF } from './seal-options.ts'
import type { Suite } from './suites.ts'

/** How a message is opened. */
export interface OpenOptions {
  /** Pairs that the message must be bound to, stored in it or not. Others that it stores are returned, not compared. */
  readonly context?: EncryptionContext
  /** Also opens the suites of message format 1, which do not commit to their key. Default false. */
  readonly legacySuites?: boolean
  /** Most recipients in a header. Default 10. */
  readonly maxRecipients?: number
  /** Longest frame, in bytes, that is taken into memory. Default 67,108,864. */
  readonly maxFrameLength?: number
  /**
   * Detached recipients, as `rewrapFile` writes them with `detached`, or a function that reads them: used when none of
   * the message's own recipients opens it. Files that are opened by path have those of `PATH.recipients`.
   */
  readonly recipients?: Uint8Array | ReadRecipients
  /** Aborts the calls to the key management service, and a stream at any time. */
  readonly signal?: AbortSignal
}

/** Reads the detached recipients of a message; undefined when it has none. */
export type ReadRecipients = () => Promise<Uint8Array | undefined>

/** What a message says of itself, once its header is authenticated. */
export interface MessageInfo {
  /** Every pair that the message is bound to, stored or given. */
  readonly context: EncryptionContext
  /** The number of the algorithm suite in the specification, `0x0478` for example. */
  readonly suite: number
  readonly recipients: readonly Recipient[]
}

/** Options that were checked. */
export interface OpenPlan extends HeaderLimits {
  readonly expected: ReadonlyMap<string, string>
  readonly legacySuites: boolean
  /** When given, a message that another application sealed is refused; one that names none is not. */
  readonly application: string | undefined
  readonly recipients: ReadRecipients | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * Checks the options.
 *
 * @param application name of the Strongroom that opens
 * @param beside reads the detached recipients when the options give none
 * @throws InvalidInputError
 */
export function planOpen(options: OpenOptions, application?: string, beside?: ReadRecipients): OpenPlan {
  assertObject(options, 'the options')
  assertSignal(options.signal)
  const {
    context = {},
    legacySuites = false,
    maxRecipients = MAX_RECIPIENTS,
    maxFrameLength = MAX_FRAME_LENGTH,
    recipients = beside,
  } = options
  contextPairs(context)
  assertFlag(legacySuites, 'legacySuites')
  const expected = new Map(context instanceof Map ? context : Object.entries(context))
  if (expected.has(RECIPIENTS_OF)) throw new InvalidInputError(`a context name must not be "${RECIPIENTS_OF}"`)
  for (const [name, value] of [
    ['maxRecipients', maxRecipients],
    ['maxFrameLength', maxFrameLength],
  ] as const) {
    const most = name === 'maxRecipients' ? 0xffff : 0xffffffff
    if (!Number.isSafeInteger(value) || value < 1 || value > most) {
      throw new InvalidInputError(`${name} must be a whole number from 1 to ${most}`)
    }
  }
  return {
    expected,
    legacySuites,
    maxRecipients,
    maxFrameLength,
    application,
    recipients: recipientsReader(recipients),
    signal: options.signal,
  }
}

/** Refuses a suite that is not that of the message, or not allowed. @throws DecryptionError */
export function assertPolicy(suite: Suite, header: Header, plan: OpenPlan): void {
  if (suite !== header.suite || (suite.version === 1 && !plan.legacySuites)) throw new DecryptionError()
}

/** What providers are given, and the encoding of the pairs that the message is bound to without holding them. */
export function boundContext(header: Header, plan: OpenPlan): { context: EncryptionContext; unstored: Uint8Array } {
  const missing = [...plan.expected].filter(([name]) => !header.context.has(name))
  return {
    context: Object.fromEntries([...header.context, ...missing]),
    unstored: missing.length === 0 ? NOTHING : encodePairs(contextPairs(new Map(missing)), 0xffff),
  }
}

/**
 * Compares what the reader expects with a header whose tag was right.
 *
 * @returns the key that verifies the footer, as the context carries it; undefined for a suite without a signature
 * @throws DecryptionError
 */
export function assertExpected(header: Header, plan: OpenPlan): string | undefined {
  for (const [name, value] of plan.expected) {
    const stored = header.context.get(name)
    if (stored !== undefined && stored !== value) throw new DecryptionError()
  }
  const application = header.context.get(APPLICATION_NAME)
  if (plan.application !== undefined && application !== undefined && application !== plan.application) {
    throw new DecryptionError()
  }
  if (header.context.has(RECIPIENTS_OF) !== plan.expected.has(RECIPIENTS_OF)) throw new DecryptionError()
  const publicKey = header.context.get(PUBLIC_KEY_NAME)
  if ((header.suite.signature === undefined) !== (publicKey === undefined)) throw new DecryptionError()
  return publicKey
}

/** What is told of a message whose header was authenticated: what format and application keep for themselves is left out. */
export function messageInfo(header: Header, plan: OpenPlan): MessageInfo {
  const context: Record<string, string> = Object.create(null)
  for (const pairs of [header.context, plan.expected]) for (const [name, value] of pairs) context[name] = value
  delete context[PUBLIC_KEY_NAME]
  if (plan.application !== undefined) delete context[APPLICATION_NAME]
  return { context, suite: header.suite.id, recipients: header.recipients.map(describeRecipient) }
}

const NOTHING = new Uint8Array(0)

function recipientsReader(recipients: Uint8Array | ReadRecipients | undefined): ReadRecipients | undefined {
  if (recipients === undefined || typeof recipients === 'function') return recipients
  assertBytes(recipients, 'recipients')
  return async () => recipients
}
