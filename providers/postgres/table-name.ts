import { tableNaming } from '../../src/sql/table-name.ts'

/** PostgreSQL cuts names at 63 bytes. */
const MAX_NAME = 63

/** A name as SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `table` or `schema.table`. */
export const { qualifiedName, besides, jobsName } = tableNaming(quote, (name) => Buffer.byteLength(name) <= MAX_NAME)
