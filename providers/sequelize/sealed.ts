import { Buffer } from 'node:buffer'
import { inspect } from 'node:util'

let count = 0

/** The row that values were encrypted for. */
export interface SealedRow {
  /** Its id, tenant and subject. */
  readonly identity: readonly string[]
  /** Throws when it is another one now. */
  assertCurrent(): void
}

/**
 * A value that was encrypted for a row and is on its way into the database. It stands in for the value until the statement was
 * run, and remembers it, because a write may fail anywhere between.
 */
export class Sealed {
  readonly #stored: string | Uint8Array | null
  readonly #plain: unknown
  readonly #row: SealedRow | undefined
  /** Makes every one different: Sequelize writes values that are deeply equal by one statement. */
  readonly nth: number = ++count

  constructor(stored: string | Uint8Array | null, plain: unknown, row?: SealedRow) {
    this.#stored = stored
    this.#plain = plain
    this.#row = row
  }

  get stored(): string | Uint8Array | null {
    this.#row?.assertCurrent()
    return this.#stored
  }

  /** The row that it was encrypted for; undefined where that is known by the statement. */
  get row(): SealedRow | undefined {
    return this.#row
  }

  get plain(): unknown {
    return this.#plain
  }

  /** Whether the database gave back what it was given. */
  isStored(value: unknown): boolean {
    const stored = this.#stored
    if (stored instanceof Uint8Array && value instanceof Uint8Array) return Buffer.compare(stored, value) === 0
    return stored === value
  }

  toJSON(): string {
    return '[encrypted]'
  }

  toString(): string {
    return '[encrypted]'
  }

  [inspect.custom](): string {
    return '[encrypted]'
  }
}
