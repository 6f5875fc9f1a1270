import { type QualifiedName, readTableName } from '../../src/sql/table-name.ts'

/** Reads `table` or `schema.table`, where a schema is an attached database. @throws InvalidInputError */
export function qualifiedName(text: string): QualifiedName {
  return readTableName(text, quote, () => true)
}

/** A name as SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
