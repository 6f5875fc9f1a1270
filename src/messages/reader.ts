import { DecryptionError } from '../errors.ts'

/** Strict UTF-8: what does not encode back to the same bytes is refused. */
export function utf8(bytes: Uint8Array): string {
  const ascii = shortAscii(bytes)
  if (ascii !== undefined) return ascii
  try {
    return UTF8.decode(bytes)
  } catch {
    throw new DecryptionError()
  }
}

/** The two bytes at `at`, which must be there, as a number. */
export function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

/** The four bytes at `at`, which must be there, as a number. */
export function u32At(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at) * 0x10000 + u16At(bytes, at + 2)
}

/** Reads a header from its start; every step beyond the end is refused. */
export class Reader {
  readonly #bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  take(length: number): Uint8Array {
    const from = this.#advance(length)
    return this.#bytes.subarray(from, this.at)
  }

  u8(): number {
    return this.#bytes[this.#advance(1)] as number
  }

  u16(): number {
    return u16At(this.#bytes, this.#advance(2))
  }

  u32(): number {
    return u32At(this.#bytes, this.#advance(4))
  }

  sized(): Uint8Array {
    return this.take(this.u16())
  }

  /** @returns where the bytes that were stepped over start */
  #advance(length: number): number {
    const from = this.at
    if (from + length > this.#bytes.length) throw new DecryptionError()
    this.at = from + length
    return from
  }
}

const SHORT = 64

/** Most names are this, and a decoder takes several times as long for them. */
function shortAscii(bytes: Uint8Array): string | undefined {
  if (bytes.length > SHORT) return undefined
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) > 0x7f) return undefined
  return String.fromCharCode.apply(null, bytes as unknown as number[])
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
