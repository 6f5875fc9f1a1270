import { besidesTable, type QualifiedName, readTableName } from '../../src/sql/table-name.ts'

/** Reads `table` or `schema.table`, where a schema is an attached database. @throws InvalidInputError */
export function qualifiedName(text: string): QualifiedName {
  return readTableName(text, quote, () => true)
}

/** A name as SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Another thing of the schema of a table, as SQL. */
export function besides(table: QualifiedName, name: string): string {
  return besidesTable(table, name, quote)
}

/** The table of jobs: the one that is named, or one in the schema of the table. @throws InvalidInputError */
export function jobsName(table: QualifiedName, jobs: string | undefined): string {
  return jobs === undefined ? besides(table, 'strongroom_jobs') : qualifiedName(jobs).quoted
}
