import { StoredValue } from '../../src/mapping/stored-value.ts'

/** A value that was encrypted for its row, on its way into a query. */
export class WrittenValue extends StoredValue {
  static {
    // Drizzle looks for its own classes behind the class of every object that it is given, twice for each value of a row.
    Object.defineProperty(WrittenValue.prototype, 'constructor', { value: undefined })
  }

  static of(value: string | Uint8Array): WrittenValue {
    return new WrittenValue(value)
  }
}
