import type { Buffer } from 'node:buffer'
import type { Transform } from 'node:stream'
import type { TransformStream } from 'node:stream/web'
import { assertObject, assertText, wipe } from '../bytes.ts'
import { ClosedError, InvalidInputError } from '../errors.ts'
import type { KmsProvider } from '../kms.ts'
import type { OpenMaterials } from './authenticate.ts'
import { DataKeyCache, type ReuseLimits, reuseLimits } from './data-key-cache.ts'
import { nodeStream } from './node-stream.ts'
import { type OpenedMessage, openBuffered } from './open.ts'
import { type OpenOptions, planOpen } from './open-plan.ts'
import { openRangeAs, type RangeSource } from './range.ts'
import { providerList } from './recipients.ts'
import { createMaterials, type SealMaterials, sealBytes } from './seal.ts'
import { plaintextBytes, type SealOptions } from './seal-options.ts'
import { SealPlans } from './seal-plans.ts'
import { type OpenStreamOptions, openPump, type SealStreamOptions, sealPump, webStream } from './stream.ts'

/** What seals and opens messages for one application. */
export interface MessagesOptions {
  /** One provider or up to ten: each becomes a recipient of every message, and any of them opens. */
  readonly kms: KmsProvider | readonly KmsProvider[]
  /**
   * Name of the application. Its messages carry it as the context pair `strongroom`, and a message that carries
   * another name is refused; one that carries none, as other programs write, is not.
   */
  readonly name?: string
  /** How long and how much a data key is used again. `false`: a data key, and a call to each provider, per message. */
  readonly reuse?: Partial<ReuseLimits> | false
}

/** Seals and opens self-contained messages. Bytes of a message: 92, context and recipients, 32 per frame and 8 more. */
export interface Messages {
  /**
   * Seals bytes or text. Messages of the same context may share a data key; signed messages never do.
   *
   * @throws InvalidInputError, KmsError
   */
  seal(plaintext: Uint8Array | string, options?: SealOptions): Promise<Buffer>
  /** Opens a whole message; every check is done before anything is returned. @throws DecryptionError, KmsError, InvalidInputError */
  open(message: Uint8Array, options?: OpenOptions): Promise<OpenedMessage>
  /** A web stream as `sealStream` makes it: one message, under a data key of its own. @throws InvalidInputError */
  sealStream(options?: SealStreamOptions): TransformStream<Uint8Array, Uint8Array>
  /** A web stream as `openStream` makes it: act on the whole only after it has closed without an error. @throws InvalidInputError */
  openStream(options?: OpenStreamOptions): TransformStream<Uint8Array, Uint8Array>
  /** `sealStream` as a Node `Transform`, for `stream.pipeline`. @throws InvalidInputError */
  sealNodeStream(options?: SealStreamOptions): Transform
  /** `openStream` as a Node `Transform`, for `stream.pipeline`. @throws InvalidInputError */
  openNodeStream(options?: OpenStreamOptions): Transform
  /** The bytes of the plaintext from `start` up to but not including `end`, as `openRange` opens them. @throws as `openRange` */
  openRange(source: RangeSource, start: number, end: number, options?: OpenOptions): Promise<Buffer>
  /** Wipes the data keys in memory; every later use throws ClosedError. */
  close(): void
}

/** Makes the messages of one application. @throws InvalidInputError, ConfigError */
export function createMessages(options: MessagesOptions): Messages {
  assertObject(options, 'the options')
  const { kms, name, reuse = {} } = options
  const providers = providerList(kms)
  if (name !== undefined) {
    assertText(name, 'name')
    if (name === '') throw new InvalidInputError('name must not be empty')
  }
  if (reuse !== false) assertObject(reuse, 'reuse')
  const limits = reuse === false ? undefined : reuseLimits(reuse)
  const sealing = limits && new DataKeyCache<SealMaterials>(limits)
  const opening = limits && new DataKeyCache<OpenMaterials>({ ...limits, messages: 2 ** 32, bytes: 2 ** 50 })
  const sharedUpTo = Math.min(MAX_SHARED, limits?.bytes ?? 0)
  const plans = new SealPlans(name)
  let closed = false
  const assertOpen = (): void => {
    if (closed) throw new ClosedError('messages')
  }

  return {
    async seal(plaintext, options = {}) {
      assertOpen()
      assertObject(options, 'the options')
      const plan = plans.of(options)
      const bytes = plaintextBytes(plaintext)
      if (sealing === undefined || plan.suite.signature !== undefined || bytes.byteLength > sharedUpTo) {
        const materials = await createMaterials(providers, plan, options.signal)
        try {
          return sealBytes(materials, bytes, plan.frameLength)
        } finally {
          wipe(materials.dataKey)
        }
      }
      for (;;) {
        options.signal?.throwIfAborted()
        const materials = sealing.take(plan.id, bytes.byteLength)
        if (materials !== undefined) return sealBytes(materials, bytes, plan.frameLength)
        await sealing.fill(plan.id, () => createMaterials(providers, plan, undefined))
        if (closed) sealing.clear()
        assertOpen()
      }
    },
    async open(message, options = {}) {
      assertOpen()
      return openBuffered(providers, message, planOpen(options, name), opening)
    },
    sealStream(options = {}) {
      assertOpen()
      return webStream(sealPump(providers, options, name), options.signal)
    },
    openStream(options = {}) {
      assertOpen()
      return webStream(openPump(providers, options, name), options.signal)
    },
    sealNodeStream(options = {}) {
      assertOpen()
      return nodeStream(sealPump(providers, options, name), options.signal)
    },
    openNodeStream(options = {}) {
      assertOpen()
      return nodeStream(openPump(providers, options, name), options.signal)
    },
    async openRange(source, start, end, options = {}) {
      assertOpen()
      return openRangeAs(providers, source, start, end, options, name)
    },
    close() {
      closed = true
      sealing?.clear()
      opening?.clear()
    },
  }
}

/** Larger messages get a data key of their own: sharing saves them nothing, and the byte limit of a small `reuse` stays reachable. */
const MAX_SHARED = 1024 * 1024
