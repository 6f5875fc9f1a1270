import { type QualifiedName, readTableName } from '../../src/sql/table-name.ts'

/** PostgreSQL cuts names at 63 bytes. */
const MAX_NAME = 63

/** Reads `table` or `schema.table`. @throws InvalidInputError */
export function qualifiedName(text: string): QualifiedName {
  return readTableName(text, quote, (name) => Buffer.byteLength(name) <= MAX_NAME)
}

/** A name as SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
