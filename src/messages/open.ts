import { Buffer } from 'node:buffer'
import type { KeyObject } from 'node:crypto'
import { equalBytes, wipe } from '../bytes.ts'
import { contextPairs, type EncryptionContext, encodePairs, PUBLIC_KEY_NAME } from '../crypto/context.ts'
import { DecryptionError, InvalidInputError } from '../errors.ts'
import type { KmsProvider } from '../kms.ts'
import type { DataKeyCache } from './data-key-cache.ts'
import { openKey } from './derivation.ts'
import { type FrameCipher, frameCipher, headerTag } from './frames.ts'
import type { Header, HeaderLimits } from './header.ts'
import { describeRecipient, MAX_RECIPIENTS, type Recipient, unwrapAny } from './recipients.ts'
import { APPLICATION_NAME, MAX_FRAME_LENGTH } from './seal-options.ts'
import { parseVerificationKey } from './signature.ts'
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
  /** Aborts the calls to the key management service, and a stream at any time. */
  readonly signal?: AbortSignal
}

/** What a message says of itself, once its header is authenticated. */
export interface MessageInfo {
  /** Every pair that the message is bound to, stored or given. */
  readonly context: EncryptionContext
  readonly suite: number
  readonly recipients: readonly Recipient[]
}

/** Options that were checked. */
export interface OpenPlan extends HeaderLimits {
  readonly expected: ReadonlyMap<string, string>
  readonly legacySuites: boolean
  /** When given, a message that another application sealed is refused; one that names none is not. */
  readonly application: string | undefined
  readonly signal: AbortSignal | undefined
}

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

/** Checks the options. `application` is the name of the Strongroom that opens. @throws InvalidInputError */
export function planOpen(options: OpenOptions, application?: string): OpenPlan {
  const {
    context = {},
    legacySuites = false,
    maxRecipients = MAX_RECIPIENTS,
    maxFrameLength = MAX_FRAME_LENGTH,
  } = options
  contextPairs(context)
  const expected = new Map(context instanceof Map ? context : Object.entries(context))
  for (const [name, value] of [
    ['maxRecipients', maxRecipients],
    ['maxFrameLength', maxFrameLength],
  ] as const) {
    const most = name === 'maxRecipients' ? 0xffff : 0xffffffff
    if (!Number.isSafeInteger(value) || value < 1 || value > most) {
      throw new InvalidInputError(`${name} must be a whole number from 1 to ${most}`)
    }
  }
  return { expected, legacySuites, maxRecipients, maxFrameLength, application, signal: options.signal }
}

/**
 * Goes from a parsed header to an authenticated one, in the order of the specification, section 6: policy, recipients,
 * commitment, header tag, expected context. The data key is kept in `cache` only once the header tag proved it.
 *
 * @throws DecryptionError whichever of them fails
 * @throws KmsError when the service that holds the key is away or says no
 */
export async function openHeader(
  header: Header,
  providers: readonly KmsProvider[],
  plan: OpenPlan,
  cache?: DataKeyCache<OpenMaterials>,
): Promise<OpenedHeader> {
  assertPolicy(header.suite, header, plan)
  const unstored = [...plan.expected].filter(([name]) => !header.context.has(name))
  const unstoredBytes = unstored.length === 0 ? NOTHING : encodePairs(contextPairs(new Map(unstored)), 0xffff)
  const id =
    cache === undefined
      ? ''
      : `${header.suite.id} ${unstoredBytes.length} ${unstoredBytes.toString('latin1')}${header.keyMaterial.toString('latin1')}`
  const cached = cache?.take(id, 0)
  if (cached !== undefined) return authenticate(header, cached, unstoredBytes, plan)
  const context = Object.fromEntries([...header.context, ...unstored])
  const dataKey = await unwrapAny(providers, header.recipients, context, header.suite.keyLength, plan.signal)
  const materials = { suite: header.suite, dataKey }
  let kept = false
  try {
    const opened = authenticate(header, materials, unstoredBytes, plan)
    if (cache !== undefined && header.length <= MAX_CACHED_HEADER) {
      cache.put(id, materials)
      kept = true
    }
    return opened
  } finally {
    if (!kept) wipe(dataKey)
  }
}

const MAX_CACHED_HEADER = 16_384
const NOTHING = Buffer.alloc(0)

function authenticate(header: Header, materials: OpenMaterials, unstored: Buffer, plan: OpenPlan): OpenedHeader {
  // Again after the cache: what it held must not weaken what the message was refused or accepted for.
  assertPolicy(materials.suite, header, plan)
  const key = openKey(header, materials.dataKey)
  try {
    const tag =
      unstored.length === 0
        ? headerTag(header.suite, key, header.iv, header.body)
        : headerTag(header.suite, key, header.iv, header.body, unstored)
    if (!equalBytes(tag, header.tag)) throw new DecryptionError()
    for (const [name, value] of plan.expected) {
      const stored = header.context.get(name)
      if (stored !== undefined && stored !== value) throw new DecryptionError()
    }
    const application = header.context.get(APPLICATION_NAME)
    if (plan.application !== undefined && application !== undefined && application !== plan.application) {
      throw new DecryptionError()
    }
    const { signature } = header.suite
    const publicKey = header.context.get(PUBLIC_KEY_NAME)
    if ((signature === undefined) !== (publicKey === undefined)) throw new DecryptionError()
    return {
      cipher: frameCipher(header.suite, key, header.messageId),
      info: {
        context: publicContext(header, plan),
        suite: header.suite.id,
        recipients: header.recipients.map(describeRecipient),
      },
      verificationKey:
        signature && publicKey !== undefined ? parseVerificationKey(publicKey, signature.curve) : undefined,
    }
  } catch (error) {
    wipe(key)
    throw error
  }
}

function assertPolicy(suite: Suite, header: Header, plan: OpenPlan): void {
  if (suite !== header.suite || (suite.version === 1 && !plan.legacySuites)) throw new DecryptionError()
}

/** The pairs that count for the caller: what the format and the application keep for themselves is left out. */
function publicContext(header: Header, plan: OpenPlan): EncryptionContext {
  const out: Record<string, string> = Object.create(null)
  for (const pairs of [header.context, plan.expected]) for (const [name, value] of pairs) out[name] = value
  delete out[PUBLIC_KEY_NAME]
  if (plan.application !== undefined) delete out[APPLICATION_NAME]
  return out
}
