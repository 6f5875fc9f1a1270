import { ConfigError, type InvalidInputError } from '../errors.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { type AnyCipher, MappedRecord } from './mapped-record.ts'

/** A column of encrypted values or of an index, as an object mapper has to declare it. */
export interface MappedColumn {
  readonly name: string
  readonly isIndex: boolean
  /** Whether it holds bytes; it holds text otherwise. */
  readonly isBinary: boolean
  /** Whether null is NULL in the database. */
  readonly isNullable: boolean
  /** The error for a value that was not encrypted for its row. */
  readonly refusal: () => InvalidInputError
}

/**
 * The columns of a record: its fields first, then its indexes.
 *
 * @param ordinary what to do with a field in state `plaintext`, which has no such column
 * @throws ConfigError for such a field
 */
export function mappedColumns(schema: AnyRecord, ordinary: string): MappedColumn[] {
  const record = new MappedRecord({ schema } as AnyCipher)
  const { storage = 'text' } = schema.options
  const fields = Object.entries(schema.fields).map(([name, { options }]) => {
    if (options.state === 'plaintext') {
      throw new ConfigError(`${schema.name}.${name} is in state plaintext: ${ordinary}`)
    }
    return {
      name,
      isIndex: false,
      isBinary: (options.storage ?? storage) === 'binary',
      isNullable: record.showsNull(name),
      refusal: () => record.unencrypted(name),
    }
  })
  const indexes = [...record.indexColumns].map((name) => ({
    name,
    isIndex: true,
    isBinary: storage === 'binary',
    isNullable: false,
    refusal: () => record.writtenIndex(name),
  }))
  return [...fields, ...indexes]
}
