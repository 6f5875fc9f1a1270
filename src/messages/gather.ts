/**
 * Cuts pieces of known length out of chunks of any length. A piece that lies within one chunk is a view into it; only
 * what a chunk leaves over is copied, because whoever wrote the chunk may use its memory again.
 */
export class Gather {
  #kept: Uint8Array = EMPTY
  #keptLength = 0
  #chunk: Uint8Array = EMPTY
  #at = 0

  /** Bytes that no `take` has returned. */
  get length(): number {
    return this.#keptLength + this.#chunk.length - this.#at
  }

  /** Hands over the next chunk. `settle` must have been called since the last. */
  add(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The next `length` bytes, valid until the next call of any method, or undefined when they are not all there. */
  take(length: number): Uint8Array | undefined {
    if (length > this.length) return undefined
    if (this.#keptLength === 0) {
      this.#at += length
      return this.#chunk.subarray(this.#at - length, this.#at)
    }
    if (this.#keptLength > length) return this.#takeKept(length)
    this.#keep(length - this.#keptLength)
    this.#keptLength = 0
    return this.#kept.subarray(0, length)
  }

  /** Like `take`, but leaves the bytes where they are. */
  peek(length: number): Uint8Array | undefined {
    if (length > this.length) return undefined
    if (this.#keptLength === 0) return this.#chunk.subarray(this.#at, this.#at + length)
    if (this.#keptLength < length) this.#keep(length - this.#keptLength)
    return this.#kept.subarray(0, length)
  }

  /** Copies what is left of the chunk, after which its memory may be used again. */
  settle(): void {
    this.#keep(this.#chunk.length - this.#at)
    this.#chunk = EMPTY
    this.#at = 0
  }

  /** Overwrites what was copied. */
  wipe(): void {
    this.#kept.fill(0)
    this.#keptLength = 0
    this.#chunk = EMPTY
    this.#at = 0
  }

  #keep(length: number): void {
    if (length === 0) return
    const needed = this.#keptLength + length
    if (needed > this.#kept.length) {
      const larger = new Uint8Array(Math.max(needed, this.#kept.length * 2, 1024))
      larger.set(this.#kept.subarray(0, this.#keptLength))
      this.#kept.fill(0)
      this.#kept = larger
    }
    this.#kept.set(this.#chunk.subarray(this.#at, this.#at + length), this.#keptLength)
    this.#keptLength = needed
    this.#at += length
  }

  #takeKept(length: number): Uint8Array {
    const piece = new Uint8Array(this.#kept.subarray(0, length))
    this.#kept.copyWithin(0, length, this.#keptLength)
    this.#keptLength -= length
    return piece
  }
}

const EMPTY = new Uint8Array(0)
