import { inspect } from 'node:util'

export { looksEncrypted } from '../format/field.ts'

const SHOWN = '[encrypted]'

/**
 * What an encrypted column, or an index column, holds: neither text nor bytes, so that it is taken for no value of the
 * application, compared with none, and written only as it was made for its row.
 */
export class StoredValue {
  readonly #value: string | Uint8Array

  protected constructor(value: string | Uint8Array) {
    this.#value = value
  }

  /** @internal */
  static wrap(value: string | Uint8Array): StoredValue {
    return new StoredValue(value)
  }

  /** @internal */
  static unwrap(stored: StoredValue): string | Uint8Array {
    return stored.#value
  }

  /** @internal */
  static is(value: unknown): value is StoredValue {
    return typeof value === 'object' && value !== null && #value in value
  }

  toJSON(): string {
    return SHOWN
  }

  toString(): string {
    return SHOWN
  }

  [inspect.custom](): string {
    return SHOWN
  }
}
