import { tableNaming } from '../../src/sql/table-name.ts'

/** MySQL takes names of 64 characters, and none that end with a space. */
const MAX_NAME = 64

/** A name as SQL, whatever `sql_mode` says of quotes. */
export function quote(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** `table` or `database.table`. */
export const { qualifiedName, besides, jobsName } = tableNaming(
  quote,
  (name) => [...name].length <= MAX_NAME && !name.endsWith(' '),
)
