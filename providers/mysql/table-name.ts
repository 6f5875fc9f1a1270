import { type QualifiedName, readTableName } from '../../src/sql/table-name.ts'

/** MySQL takes names of 64 characters, and none that end with a space. */
const MAX_NAME = 64

/** Reads `table` or `database.table`. @throws InvalidInputError */
export function qualifiedName(text: string): QualifiedName {
  return readTableName(text, quote, (name) => [...name].length <= MAX_NAME && !name.endsWith(' '))
}

/** A name as SQL, whatever `sql_mode` says of quotes. */
export function quote(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
