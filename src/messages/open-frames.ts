import { Buffer } from 'node:buffer'
import { createVerify, type Verify } from 'node:crypto'
import { DecryptionError } from '../errors.ts'
import { FINAL_MARK, FINAL_PREFIX, type FrameKind } from './frame-layout.ts'
import { openFrame } from './frames.ts'
import { Gather } from './gather.ts'
import { type Header, headerExtent, IV, parseHeader, TAG } from './header.ts'
import type { OpenedHeader } from './open.ts'
import type { OpenPlan } from './open-plan.ts'

type Expecting = 'header' | 'mark' | 'regular' | 'final' | 'whole' | 'body' | 'footer' | 'signature' | 'nothing'

/**
 * Opens a message that arrives piece by piece. A frame is returned only after its tag; the end of the input is an error
 * unless the final frame, and the signature of a signed message, have been there and nothing follows.
 */
export class FrameOpener {
  readonly #plan: OpenPlan
  readonly #gather = new Gather()
  #expecting: Expecting = 'header'
  #wanted = 4
  #header: Header | undefined
  #opened: OpenedHeader | undefined
  #verify: Verify | undefined
  #seq = 1
  #iv: Buffer = NONE

  constructor(plan: OpenPlan) {
    this.#plan = plan
  }

  /** Frames opened so far. */
  get frames(): number {
    return this.#seq - 1
  }

  /** Takes the next bytes; `settle` must be called before the next. */
  add(chunk: Uint8Array): void {
    this.#gather.add(chunk)
  }

  /** Copies what is left over, after which the memory of the chunk may be used again. */
  settle(): void {
    this.#gather.settle()
  }

  /** The header, once, as soon as all of it is there; `start` must then be given what opening it resulted in. */
  header(): Header | undefined {
    while (this.#header === undefined && this.#wanted <= this.#gather.length) {
      const extent = headerExtent(this.#gather.peek(this.#wanted) as Buffer, this.#plan.maxRecipients)
      if (extent === this.#wanted) {
        // A copy of its own: views would not outlive the wait for the key management service.
        this.#header = parseHeader(Buffer.from(this.#gather.take(extent) as Buffer), this.#plan)
        return this.#header
      }
      this.#wanted = extent
    }
    return undefined
  }

  /** Starts behind a header that was read and opened elsewhere. */
  startAt(header: Header, opened: OpenedHeader): void {
    this.#header = header
    this.start(opened)
  }

  start(opened: OpenedHeader): void {
    const { suite, body, iv, tag, framed } = this.#header as Header
    this.#opened = opened
    if (suite.signature !== undefined) {
      this.#verify = createVerify(suite.signature.hash).update(body)
      if (suite.version === 1) this.#verify.update(iv)
      this.#verify.update(tag)
    }
    if (framed) this.#expect('mark', 4)
    else this.#expect('whole', IV + 8)
  }

  /** The next frame, or undefined when more bytes are needed. @throws DecryptionError */
  next(): Buffer | undefined {
    if (this.#opened === undefined) return undefined
    for (;;) {
      if (this.#expecting === 'nothing' && this.#gather.length > 0) throw new DecryptionError()
      const piece = this.#expecting === 'nothing' ? undefined : this.#gather.take(this.#wanted)
      if (piece === undefined) return undefined
      if (this.#expecting !== 'footer' && this.#expecting !== 'signature') this.#verify?.update(piece)
      const frame = this.#read(piece)
      if (frame !== undefined) return frame
    }
  }

  /** Says that no bytes follow. @throws DecryptionError unless the message is complete */
  end(): void {
    this.wipe()
    if (this.#expecting !== 'nothing') throw new DecryptionError()
  }

  /** Overwrites the key and what was gathered. */
  wipe(): void {
    this.#gather.wipe()
    this.#opened?.cipher.key.fill(0)
  }

  #expect(what: Expecting, length: number): void {
    this.#expecting = what
    this.#wanted = length
  }

  #read(piece: Buffer): Buffer | undefined {
    const { frameLength } = this.#header as Header
    switch (this.#expecting) {
      case 'mark': {
        const mark = piece.readUInt32BE(0)
        if (mark === FINAL_MARK) this.#expect('final', FINAL_PREFIX - 4)
        else if (mark === this.#seq) this.#expect('regular', IV + frameLength + TAG)
        else throw new DecryptionError()
        return undefined
      }
      case 'regular': {
        const frame = this.#open('regular', piece.subarray(0, IV), piece.subarray(IV))
        this.#expect('mark', 4)
        return frame
      }
      case 'final': {
        const length = piece.readUInt32BE(4 + IV)
        if (piece.readUInt32BE(0) !== this.#seq || length > frameLength) throw new DecryptionError()
        this.#iv = Buffer.from(piece.subarray(4, 4 + IV))
        this.#expect('body', length + TAG)
        return undefined
      }
      case 'whole': {
        const length = piece.readBigUInt64BE(IV)
        if (length > BigInt(this.#plan.maxFrameLength)) throw new DecryptionError()
        this.#iv = Buffer.from(piece.subarray(0, IV))
        this.#expect('body', Number(length) + TAG)
        return undefined
      }
      case 'body': {
        const frame = this.#open((this.#header as Header).framed ? 'final' : 'whole', this.#iv, piece)
        if (this.#verify === undefined) this.#expect('nothing', 0)
        else this.#expect('footer', 2)
        return frame
      }
      case 'footer':
        this.#expect('signature', piece.readUInt16BE(0))
        return undefined
      default:
        if (!this.#isSignature(piece)) throw new DecryptionError()
        this.#expect('nothing', 0)
        return undefined
    }
  }

  #open(kind: FrameKind, iv: Buffer, sealed: Buffer): Buffer {
    const tagAt = sealed.length - TAG
    const { cipher } = this.#opened as OpenedHeader
    const frame = openFrame(cipher, kind, this.#seq, iv, sealed.subarray(0, tagAt), sealed.subarray(tagAt))
    if (frame === undefined) throw new DecryptionError()
    this.#seq++
    return frame
  }

  #isSignature(signature: Buffer): boolean {
    const key = this.#opened?.verificationKey
    try {
      return key !== undefined && this.#verify?.verify(key, signature) === true
    } catch {
      return false
    }
  }
}

const NONE: Buffer = Buffer.alloc(0)
