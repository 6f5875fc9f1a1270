import { Buffer } from 'node:buffer'
import { createSign, type Sign } from 'node:crypto'
import { ClosedError } from '../errors.ts'
import { FINAL_OVERHEAD, REGULAR_OVERHEAD } from './frame-layout.ts'
import { sealFrame } from './frames.ts'
import { Gather } from './gather.ts'
import { footer, type StartedMessage } from './seal.ts'

/** Seals a message of unknown length piece by piece: at most one frame of plaintext is held back, because the last frame is marked. */
export class FrameSealer {
  readonly #message: StartedMessage
  readonly #gather = new Gather()
  readonly #sign: Sign | undefined
  #seq = 1
  #wiped = false

  constructor(message: StartedMessage) {
    this.#message = message
    this.#sign = message.signing && createSign('sha384')
    this.#sign?.update(message.header)
  }

  /** Frames sealed so far. */
  get frames(): number {
    return this.#seq - 1
  }

  /**
   * Takes the next bytes.
   *
   * @param memory is written to when it is long enough: fresh memory costs a tenth of the time
   * @returns the frames that the bytes complete, undefined when there is none yet
   */
  push(chunk: Uint8Array, memory?: Buffer): Buffer | undefined {
    this.#assertUsable()
    const { cipher, frameLength } = this.#message
    const gather = this.#gather
    gather.add(chunk)
    const count = Math.ceil(gather.length / frameLength) - 1
    let out: Buffer | undefined
    if (count > 0) {
      const length = count * (frameLength + REGULAR_OVERHEAD)
      out = memory && memory.length >= length ? memory.subarray(0, length) : Buffer.allocUnsafeSlow(length)
      for (let i = 0, at = 0; i < count; i++) {
        at = sealFrame(cipher, 'regular', this.#seq, gather.take(frameLength) as Buffer, out, at)
        this.#seq++
      }
      this.#sign?.update(out)
    }
    gather.settle()
    return out
  }

  /** Ends the message. @returns the final frame, and the signature if the suite has one */
  end(): Buffer {
    this.#assertUsable()
    const last = this.#gather.take(this.#gather.length) as Buffer
    const out = Buffer.allocUnsafeSlow(FINAL_OVERHEAD + last.length)
    sealFrame(this.#message.cipher, 'final', this.#seq++, last, out, 0)
    this.wipe()
    if (this.#sign === undefined || this.#message.signing === undefined) return out
    return Buffer.concat([out, footer(this.#sign.update(out).sign(this.#message.signing.privateKey))])
  }

  /** Overwrites key and plaintext; nothing can be sealed after that. */
  wipe(): void {
    this.#wiped = true
    this.#gather.wipe()
    this.#message.cipher.key.fill(0)
  }

  /** A wiped key is all zeros, which anybody knows. */
  #assertUsable(): void {
    if (this.#wiped) throw new ClosedError('the message')
  }
}
