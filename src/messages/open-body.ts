import { Buffer } from 'node:buffer'
import { type KeyObject, verify } from 'node:crypto'
import { DecryptionError } from '../errors.ts'
import type { OpenedHeader } from './authenticate.ts'
import { FINAL_MARK } from './frame-layout.ts'
import { openFrame } from './frames.ts'
import { type Header, IV, TAG } from './header.ts'
import type { Suite } from './suites.ts'

/** Opens all frames and the footer of a buffered message; nothing is returned unless everything holds. @throws DecryptionError */
export function openBody(message: Buffer, header: Header, opened: OpenedHeader): Buffer {
  const { cipher, verificationKey } = opened
  const plaintext = new Plaintext(message.length)
  let at = header.length
  const take = (length: number): Buffer => {
    if (at + length > message.length) throw new DecryptionError()
    at += length
    return message.subarray(at - length, at)
  }
  try {
    if (!header.framed) {
      const iv = take(IV)
      const length = take(8).readBigUInt64BE(0)
      if (length > BigInt(message.length)) throw new DecryptionError()
      plaintext.add(openFrame(cipher, 'whole', 1, iv, take(Number(length)), take(TAG)))
    } else {
      for (let seq = 1, last = false; !last; seq++) {
        const mark = take(4).readUInt32BE(0)
        last = mark === FINAL_MARK
        if ((last ? take(4).readUInt32BE(0) : mark) !== seq) throw new DecryptionError()
        const iv = take(IV)
        const length = last ? take(4).readUInt32BE(0) : header.frameLength
        if (length > header.frameLength) throw new DecryptionError()
        plaintext.add(openFrame(cipher, last ? 'final' : 'regular', seq, iv, take(length), take(TAG)))
      }
    }
    if (verificationKey !== undefined) {
      const signed = message.subarray(0, at)
      const signature = take(take(2).readUInt16BE(0))
      if (!isSignature(header.suite, signed, verificationKey, signature)) throw new DecryptionError()
    }
    if (at !== message.length) throw new DecryptionError()
    return plaintext.bytes()
  } catch (error) {
    plaintext.wipe()
    throw error
  }
}

/** Gathers the frames of a message: one is handed on as it is, several are copied into one buffer as they come. */
class Plaintext {
  readonly #limit: number
  #first: Buffer | undefined
  #all: Buffer | undefined
  #length = 0

  /** @param limit more bytes than the message can hold */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** @throws DecryptionError when the frame did not open */
  add(frame: Buffer | undefined): void {
    if (frame === undefined) throw new DecryptionError()
    if (this.#first === undefined) {
      this.#first = frame
    } else {
      this.#all ??= this.#start()
      frame.copy(this.#all, this.#length)
      frame.fill(0)
    }
    this.#length += frame.length
  }

  bytes(): Buffer {
    return this.#all?.subarray(0, this.#length) ?? (this.#first as Buffer)
  }

  wipe(): void {
    this.#first?.fill(0)
    this.#all?.fill(0)
  }

  #start(): Buffer {
    const all = Buffer.allocUnsafeSlow(this.#limit)
    ;(this.#first as Buffer).copy(all)
    this.#first?.fill(0)
    return all
  }
}

function isSignature(suite: Suite, signed: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(suite.signature?.hash, signed, key, signature)
  } catch {
    return false
  }
}
