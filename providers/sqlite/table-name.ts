import { tableNaming } from '../../src/sql/table-name.ts'

/** A name as SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `table` or `schema.table`, where a schema is an attached database. */
export const { qualifiedName, besides, jobsName } = tableNaming(quote, () => true)
