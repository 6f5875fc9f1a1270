import type { Buffer } from 'node:buffer'
import { createVerify, type Verify } from 'node:crypto'
import { DecryptionError } from '../errors.ts'
import type { OpenedHeader } from './authenticate.ts'
import { openFrame } from './frames.ts'
import type { Header } from './header.ts'
import { MessageReader } from './message-reader.ts'
import type { OpenPlan } from './open-plan.ts'

/**
 * Opens a message that arrives piece by piece. A frame is returned only after its tag; the end of the input is an error
 * unless the final frame, and the signature of a signed message, have been there and nothing follows.
 */
export class FrameOpener {
  readonly #reader: MessageReader
  #header: Header | undefined
  #opened: OpenedHeader | undefined
  #verify: Verify | undefined

  constructor(plan: OpenPlan) {
    this.#reader = new MessageReader(plan)
  }

  /** Frames opened so far. */
  get frames(): number {
    return this.#reader.parts
  }

  /** Takes the next bytes; `settle` must be called before the next. */
  add(chunk: Uint8Array): void {
    this.#reader.add(chunk)
  }

  /** Copies what is left over, after which the memory of the chunk may be used again. */
  settle(): void {
    this.#reader.settle()
  }

  /** The header, once, as soon as all of it is there; `start` must then be given what opening it resulted in. */
  header(): Header | undefined {
    const header = this.#reader.header()
    this.#header ??= header
    return header
  }

  /** Starts behind a header that was read and opened elsewhere. */
  startAt(header: Header, opened: OpenedHeader): void {
    this.#header = header
    this.start(opened)
  }

  start(opened: OpenedHeader): void {
    const header = this.#header as Header
    const { suite, body, iv, tag } = header
    this.#opened = opened
    if (suite.signature !== undefined) {
      this.#verify = createVerify(suite.signature.hash).update(body)
      if (suite.version === 1) this.#verify.update(iv)
      this.#verify.update(tag)
    }
    this.#reader.start(header, (bytes) => this.#verify?.update(bytes))
  }

  /** The next frame, or undefined when more bytes are needed. @throws DecryptionError */
  next(): Buffer | undefined {
    const part = this.#reader.next()
    if (this.#reader.signature !== undefined) this.#checkSignature(this.#reader.signature)
    if (part === undefined) return undefined
    const { cipher } = this.#opened as OpenedHeader
    const frame = openFrame(cipher, part.kind, part.seq, part.iv, part.ciphertext, part.tag)
    if (frame === undefined) throw new DecryptionError()
    return frame
  }

  /** Says that no bytes follow. @throws DecryptionError unless the message is complete */
  end(): void {
    this.wipe()
    this.#reader.end()
    if (this.#verify !== undefined) throw new DecryptionError()
  }

  /** Overwrites the key and what was gathered. */
  wipe(): void {
    this.#reader.wipe()
    this.#opened?.cipher.key.fill(0)
  }

  /** Once: a `Verify` cannot be asked again. @throws DecryptionError */
  #checkSignature(signature: Uint8Array): void {
    const verify = this.#verify
    if (verify === undefined) return
    this.#verify = undefined
    const key = this.#opened?.verificationKey
    let right = false
    try {
      right = key !== undefined && verify.verify(key, signature)
    } catch {
      // Bytes that are no signature at all.
    }
    if (!right) throw new DecryptionError()
  }
}
