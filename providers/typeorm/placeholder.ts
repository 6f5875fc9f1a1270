import { StoredValue } from '../../src/mapping/stored-value.ts'

/** What an entity holds in the place of a value while it is written. */
export class Placeholder extends StoredValue {
  #isTaken = false

  static of(value: string | Uint8Array): Placeholder {
    return new Placeholder(value)
  }

  /** The value as the statement gets it, which is made from here on. */
  take(): string | Uint8Array {
    this.#isTaken = true
    return StoredValue.unwrap(this)
  }

  get isTaken(): boolean {
    return this.#isTaken
  }
}
