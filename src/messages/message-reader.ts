import { DecryptionError } from '../errors.ts'
import { FINAL_MARK, FINAL_PREFIX, type FrameKind } from './frame-layout.ts'
import { Gather } from './gather.ts'
import { type Header, type HeaderLimits, headerExtent, IV, parseHeader, TAG } from './header.ts'
import { u16At, u32At } from './reader.ts'

type Expecting = 'mark' | 'regular' | 'final' | 'whole' | 'body' | 'footer' | 'signature' | 'nothing'

/** A frame, or the one block of a message without frames; its bytes are valid until the next call of the reader. */
export interface BodyPart {
  readonly kind: FrameKind
  readonly seq: number
  readonly iv: Uint8Array
  readonly ciphertext: Uint8Array
  readonly tag: Uint8Array
}

/**
 * Takes a message apart that arrives piece by piece: header, then frames in order, then the footer. It decrypts nothing
 * and trusts nothing; what it refuses can be no message, whatever the key.
 */
export class MessageReader {
  readonly #limits: HeaderLimits
  readonly #gather = new Gather()
  #header: Header | undefined
  #expecting: Expecting = 'mark'
  #wanted = 4
  #started = false
  #seq = 1
  #iv: Uint8Array = NONE
  #signature: Uint8Array | undefined
  #onSigned: ((bytes: Uint8Array) => void) | undefined

  constructor(limits: HeaderLimits) {
    this.#limits = limits
  }

  /** Parts handed out so far. */
  get parts(): number {
    return this.#seq - 1
  }

  /** The signature of a signed message, once its last byte was read. */
  get signature(): Uint8Array | undefined {
    return this.#signature
  }

  /** Takes the next bytes; `settle` must be called before the next. */
  add(chunk: Uint8Array): void {
    this.#gather.add(chunk)
  }

  /** Copies what is left over, after which the memory of the chunk may be used again. */
  settle(): void {
    this.#gather.settle()
  }

  /** The header, once, as soon as all of it is there; `start` then lets the body be read. @throws DecryptionError */
  header(): Header | undefined {
    while (this.#header === undefined && this.#wanted <= this.#gather.length) {
      const extent = headerExtent(this.#gather.peek(this.#wanted) as Uint8Array, this.#limits.maxRecipients)
      if (extent === this.#wanted) {
        // A copy of its own: views would not outlive the wait for the key management service.
        this.#header = parseHeader(new Uint8Array(this.#gather.take(extent) as Uint8Array), this.#limits)
        return this.#header
      }
      this.#wanted = extent
    }
    return undefined
  }

  /**
   * Goes on to the body.
   *
   * @param header the one that `header` gave, or one that was read elsewhere and that the bytes follow
   * @param onSigned is given every byte of the body that a signature covers, in order
   */
  start(header: Header, onSigned?: (bytes: Uint8Array) => void): void {
    this.#header = header
    this.#onSigned = onSigned
    this.#started = true
    if (header.framed) this.#expect('mark', 4)
    else this.#expect('whole', IV + 8)
  }

  /** The next part, or undefined when more bytes are needed or the message is at its end. @throws DecryptionError */
  next(): BodyPart | undefined {
    while (this.#started) {
      if (this.#expecting === 'nothing' && this.#gather.length > 0) throw new DecryptionError()
      const piece = this.#expecting === 'nothing' ? undefined : this.#gather.take(this.#wanted)
      if (piece === undefined) return undefined
      if (this.#expecting !== 'footer' && this.#expecting !== 'signature') this.#onSigned?.(piece)
      const part = this.#read(piece)
      if (part !== undefined) return part
    }
    return undefined
  }

  /** Says that no bytes follow. @throws DecryptionError unless everything has been there */
  end(): void {
    this.wipe()
    if (!this.#started || this.#expecting !== 'nothing') throw new DecryptionError()
  }

  /** Overwrites what was gathered. */
  wipe(): void {
    this.#gather.wipe()
  }

  #expect(what: Expecting, length: number): void {
    this.#expecting = what
    this.#wanted = length
  }

  #read(piece: Uint8Array): BodyPart | undefined {
    const { frameLength, framed, suite } = this.#header as Header
    switch (this.#expecting) {
      case 'mark': {
        const mark = u32At(piece, 0)
        if (mark === FINAL_MARK) this.#expect('final', FINAL_PREFIX - 4)
        else if (mark === this.#seq) this.#expect('regular', IV + frameLength + TAG)
        else throw new DecryptionError()
        return undefined
      }
      case 'regular':
        this.#expect('mark', 4)
        return this.#part('regular', piece.subarray(0, IV), piece.subarray(IV))
      case 'final': {
        const length = u32At(piece, 4 + IV)
        if (u32At(piece, 0) !== this.#seq || length > frameLength) throw new DecryptionError()
        this.#iv = new Uint8Array(piece.subarray(4, 4 + IV))
        this.#expect('body', length + TAG)
        return undefined
      }
      case 'whole': {
        const length = u32At(piece, IV) * 0x1_0000_0000 + u32At(piece, IV + 4)
        if (length > this.#limits.maxFrameLength) throw new DecryptionError()
        this.#iv = new Uint8Array(piece.subarray(0, IV))
        this.#expect('body', length + TAG)
        return undefined
      }
      case 'body':
        if (suite.signature === undefined) this.#expect('nothing', 0)
        else this.#expect('footer', 2)
        return this.#part(framed ? 'final' : 'whole', this.#iv, piece)
      case 'footer':
        this.#expect('signature', u16At(piece, 0))
        return undefined
      default:
        this.#signature = new Uint8Array(piece)
        this.#expect('nothing', 0)
        return undefined
    }
  }

  #part(kind: FrameKind, iv: Uint8Array, sealed: Uint8Array): BodyPart {
    const tagAt = sealed.length - TAG
    return { kind, seq: this.#seq++, iv, ciphertext: sealed.subarray(0, tagAt), tag: sealed.subarray(tagAt) }
  }
}

const NONE = new Uint8Array(0)
