import { besidesTable, type QualifiedName, readTableName } from '../../src/sql/table-name.ts'

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

/** Another thing of the schema of a table, as SQL. */
export function besides(table: QualifiedName, name: string): string {
  return besidesTable(table, name, quote)
}

/** The table of jobs: the one that is named, or one in the schema of the table. @throws InvalidInputError */
export function jobsName(table: QualifiedName, jobs: string | undefined): string {
  return jobs === undefined ? besides(table, 'strongroom_jobs') : qualifiedName(jobs).quoted
}
