import { Buffer } from 'node:buffer'
import { DecryptionError } from '../errors.ts'

/** Strict UTF-8: what does not encode back to the same bytes is refused. */
export function utf8(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (
    Buffer.byteLength(text, 'utf8') !== bytes.length ||
    (text.includes('\ufffd') && !bytes.equals(Buffer.from(text)))
  ) {
    throw new DecryptionError()
  }
  return text
}

/** Reads a header from its start; every step beyond the end is refused. */
export class Reader {
  readonly #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  take(length: number): Buffer {
    const end = this.at + length
    if (end > this.#bytes.length) throw new DecryptionError()
    const part = this.#bytes.subarray(this.at, end)
    this.at = end
    return part
  }

  u8(): number {
    return this.take(1).readUInt8(0)
  }

  u16(): number {
    return this.take(2).readUInt16BE(0)
  }

  u32(): number {
    return this.take(4).readUInt32BE(0)
  }

  sized(): Buffer {
    return this.take(this.u16())
  }
}
