import { assertBytes, assertCallback } from '../../src/checks.ts'
import { ClosedError, InvalidInputError } from '../../src/errors.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { Gather } from '../../src/messages/gather.ts'
import { MessageReader } from '../../src/messages/message-reader.ts'
import { type MessageInfo, type OpenOptions, planOpen } from '../../src/messages/open-plan.ts'
import { providerList } from '../../src/messages/recipients.ts'
import { planSeal, type SealOptions } from '../../src/messages/seal-options.ts'
import { type FrameCipher, IN_FLIGHT, sealFrame } from './frames.ts'
import { allOrNothing, nextRun, openHeader } from './open.ts'
import { startMessage } from './seal.ts'

/** What an opening stream tells while it runs. */
export interface OpenStreamOptions extends OpenOptions {
  /** Called once, before the first frame, when the header is authenticated. */
  readonly onHeader?: (info: MessageInfo) => void
}

/**
 * A stream that seals what is written to it into one message, under a data key of its own. It holds a few frames.
 *
 * @throws InvalidInputError, also for suite 0x0578: WebCrypto signs only what is whole in memory
 */
export function sealStream(
  kms: KmsProvider | readonly KmsProvider[],
  options: SealOptions = {},
): TransformStream<Uint8Array, Uint8Array> {
  const providers = providerList(kms)
  const plan = planSeal(options)
  if (plan.suite.signature !== undefined) throw signedInPieces()
  const { frameLength } = plan
  const gather = new Gather()
  let cipher: FrameCipher | undefined
  let seq = 1
  const seal = (kind: 'regular' | 'final', length: number): Promise<Uint8Array> => {
    if (cipher === undefined) throw new ClosedError('the stream')
    return sealFrame(cipher, kind, seq++, gather.take(length) as Uint8Array)
  }
  return abortable(options.signal, () => gather.wipe(), {
    async start(controller) {
      const message = await startMessage(providers, plan, options.signal)
      cipher = message.cipher
      controller.enqueue(message.header)
    },
    async transform(chunk, controller) {
      assertBytes(chunk, 'a chunk')
      gather.add(chunk)
      // One byte more than a frame must be there: the last frame is marked, and any could be the last.
      while (gather.length > frameLength) {
        const count = Math.min(IN_FLIGHT, Math.ceil(gather.length / frameLength) - 1)
        const run = Array.from({ length: count }, () => seal('regular', frameLength))
        for (const frame of await Promise.all(run)) controller.enqueue(frame)
      }
      gather.settle()
    },
    async flush(controller) {
      controller.enqueue(await seal('final', gather.length))
      gather.wipe()
    },
  })
}

/**
 * A stream that opens one message. Each frame is released once its own tag is verified; whether the message is complete
 * is known only at its end, so act on the whole only after the stream has closed without an error. It fails with
 * DecryptionError whatever is wrong with the message, and with InvalidInputError for a signed one, which has to be
 * opened whole.
 *
 * @throws InvalidInputError
 */
export function openStream(
  kms: KmsProvider | readonly KmsProvider[],
  options: OpenStreamOptions = {},
): TransformStream<Uint8Array, Uint8Array> {
  const providers = providerList(kms)
  const plan = planOpen(options)
  assertCallback(options.onHeader, 'onHeader')
  const reader = new MessageReader(plan)
  let cipher: FrameCipher | undefined
  return abortable(options.signal, () => reader.wipe(), {
    async transform(chunk, controller) {
      assertBytes(chunk, 'a chunk')
      reader.add(chunk)
      const header = reader.header()
      if (header !== undefined) {
        if (header.suite.signature !== undefined) throw signedInPieces()
        const opened = await openHeader(header, providers, plan)
        cipher = opened.cipher
        reader.start(header)
        options.onHeader?.(opened.info)
      }
      if (cipher !== undefined) {
        for (let run = nextRun(reader, cipher); run.length > 0; run = nextRun(reader, cipher)) {
          for (const frame of await allOrNothing(run)) if (frame.length > 0) controller.enqueue(frame)
        }
      }
      reader.settle()
    },
    flush: () => reader.end(),
  })
}

/** A stream that fails with the reason of the signal, and that wipes what it holds when it fails or is given up. */
function abortable(
  signal: AbortSignal | undefined,
  wipe: () => void,
  { start, transform, flush }: Pick<Required<Work>, 'transform' | 'flush'> & Work,
): TransformStream<Uint8Array, Uint8Array> {
  let abort: (() => void) | undefined
  let working = false
  let over = false
  const end = () => {
    over = true
    if (abort !== undefined) signal?.removeEventListener('abort', abort)
    // What is at work still reads what would be wiped: it wipes when it is done.
    if (!working) wipe()
  }
  const guarded = async (work: () => Promise<void> | void): Promise<void> => {
    working = true
    try {
      signal?.throwIfAborted()
      await work()
      signal?.throwIfAborted()
    } catch (error) {
      end()
      throw error
    } finally {
      working = false
      if (over) wipe()
    }
  }
  const transformer: Transforming & { readonly cancel: () => void } = {
    start(controller) {
      abort = () => {
        end()
        controller.error(signal?.reason)
      }
      signal?.addEventListener('abort', abort)
      return guarded(() => start?.(controller))
    },
    transform: (chunk, controller) => guarded(() => transform(chunk, controller)),
    flush: (controller) => guarded(() => flush(controller)).then(end),
    cancel: end,
  }
  return new TransformStream(transformer)
}

type Transforming = NonNullable<ConstructorParameters<typeof TransformStream<Uint8Array, Uint8Array>>[0]>
type Controller = TransformStreamDefaultController<Uint8Array>

interface Work {
  readonly start?: (controller: Controller) => Promise<void>
  readonly transform?: (chunk: Uint8Array, controller: Controller) => Promise<void>
  readonly flush?: (controller: Controller) => Promise<void> | void
}

function signedInPieces(): InvalidInputError {
  return new InvalidInputError(
    'WebCrypto signs and verifies only what is whole in memory: use sealMessage, openMessage',
  )
}
