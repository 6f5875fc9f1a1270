import type { Buffer } from 'node:buffer'
import { TransformStream } from 'node:stream/web'
import { asBuffer, assertBytes, assertCallback, wipe } from '../bytes.ts'
import { ClosedError } from '../errors.ts'
import type { KmsProvider } from '../kms.ts'
import { openHeader } from './open.ts'
import { FrameOpener } from './open-frames.ts'
import { type MessageInfo, type OpenOptions, planOpen } from './open-plan.ts'
import { providerList } from './recipients.ts'
import { createMaterials, type StartedMessage, startMessage } from './seal.ts'
import { FrameSealer } from './seal-frames.ts'
import { planSeal, type SealOptions } from './seal-options.ts'

/** How far a stream or file has come. */
export interface Progress {
  /** Bytes of plaintext. */
  readonly bytes: number
  /** Whole frames. */
  readonly frames: number
}

/** What a stream tells while it runs. */
export interface StreamEvents {
  /** Called after every chunk; it must not throw. */
  readonly onProgress?: (progress: Progress) => void
}

/** How a stream is sealed. */
export interface SealStreamOptions extends SealOptions, StreamEvents {}

/** How a stream is opened. */
export interface OpenStreamOptions extends OpenOptions, StreamEvents {
  /** Called once, before the first frame, when the header is authenticated. */
  readonly onHeader?: (info: MessageInfo) => void
}

/** What both kinds of streams are built on: takes a chunk, hands out what it completes. */
export interface Pump {
  start(): Promise<void>
  push(chunk: unknown, emit: (bytes: Buffer) => void): Promise<void> | void
  end(emit: (bytes: Buffer) => void): void
  wipe(): void
}

/**
 * A stream that seals what is written to it into one message, under a data key of its own. It holds at most one frame.
 *
 * @returns a web TransformStream of bytes; it fails with InvalidInputError for other chunks, with KmsError when the data key cannot be wrapped
 * @throws InvalidInputError
 */
export function sealStream(
  kms: KmsProvider | readonly KmsProvider[],
  options: SealStreamOptions = {},
): TransformStream<Uint8Array, Uint8Array> {
  return webStream(sealPump(kms, options), options.signal)
}

/**
 * A stream that opens one message. Each frame is released once its own tag is verified; whether the message is complete
 * is known only at its end, so act on the whole only after the stream has closed without an error.
 *
 * @returns a web TransformStream of bytes; it fails with DecryptionError whatever is wrong with the message, with KmsError when
 *   the service that holds the key is away or says no
 * @throws InvalidInputError
 */
export function openStream(
  kms: KmsProvider | readonly KmsProvider[],
  options: OpenStreamOptions = {},
): TransformStream<Uint8Array, Uint8Array> {
  return webStream(openPump(kms, options), options.signal)
}

/** The sealing half, without a stream around it. `application` as in `planSeal`. */
export function sealPump(
  kms: KmsProvider | readonly KmsProvider[],
  options: SealStreamOptions,
  application?: string,
): Pump {
  const providers = providerList(kms)
  const plan = planSeal(options, application)
  assertCallback(options.onProgress, 'onProgress')
  const sliceLength = Math.max(plan.frameLength, SLICE)
  let bytes = 0
  let started: StartedMessage | undefined
  let sealer: FrameSealer | undefined
  const running = (): FrameSealer => {
    if (sealer === undefined) throw new ClosedError('the stream')
    return sealer
  }
  return {
    async start() {
      const materials = await createMaterials(providers, plan, options.signal)
      started = startMessage(materials, plan.frameLength)
      sealer = new FrameSealer(started)
      wipe(materials.dataKey)
    },
    push(chunk, emit) {
      assertBytes(chunk, 'a chunk')
      if (started !== undefined) emit(started.header)
      started = undefined
      const whole = asBuffer(chunk)
      for (let at = 0; at < whole.length; at += sliceLength) {
        const sealed = running().push(whole.subarray(at, at + sliceLength))
        if (sealed !== undefined) emit(sealed)
      }
      bytes += whole.length
      options.onProgress?.({ bytes, frames: running().frames })
    },
    end(emit) {
      if (started !== undefined) emit(started.header)
      emit(running().end())
      options.onProgress?.({ bytes, frames: running().frames })
    },
    wipe: () => sealer?.wipe(),
  }
}

/** The opening half, without a stream around it. `application` as in `planOpen`. */
export function openPump(
  kms: KmsProvider | readonly KmsProvider[],
  options: OpenStreamOptions,
  application?: string,
): Pump {
  const providers = providerList(kms)
  const plan = planOpen(options, application)
  assertCallback(options.onProgress, 'onProgress')
  assertCallback(options.onHeader, 'onHeader')
  const opener = new FrameOpener(plan)
  let bytes = 0
  const drain = (emit: (bytes: Buffer) => void): void => {
    for (let frame = opener.next(); frame !== undefined; frame = opener.next()) {
      bytes += frame.length
      if (frame.length > 0) emit(frame)
    }
    opener.settle()
    options.onProgress?.({ bytes, frames: opener.frames })
  }
  return {
    async start() {},
    push(chunk, emit) {
      assertBytes(chunk, 'a chunk')
      opener.add(chunk)
      const header = opener.header()
      if (header === undefined) return drain(emit)
      return openHeader(header, providers, plan).then((opened) => {
        opener.start(opened)
        options.onHeader?.(opened.info)
        drain(emit)
      })
    },
    end: () => opener.end(),
    wipe: () => opener.wipe(),
  }
}

/** A web stream around a pump. */
export function webStream(pump: Pump, signal: AbortSignal | undefined): TransformStream<Uint8Array, Uint8Array> {
  let abort: (() => void) | undefined
  const stop = () => abort && signal?.removeEventListener('abort', abort)
  const guarded = async (work: () => Promise<void> | void): Promise<void> => {
    try {
      await work()
    } catch (error) {
      stop()
      pump.wipe()
      throw error
    }
  }
  return new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      abort = () => {
        stop()
        pump.wipe()
        controller.error(signal?.reason)
      }
      signal?.addEventListener('abort', abort)
      return guarded(() => {
        signal?.throwIfAborted()
        return pump.start()
      })
    },
    transform: (chunk, controller) => guarded(() => pump.push(chunk, (bytes) => controller.enqueue(bytes))),
    flush: (controller) =>
      guarded(() => {
        pump.end((bytes) => controller.enqueue(bytes))
        stop()
      }),
  })
}

const SLICE = 1024 * 1024
