import { assertText } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'

/** The name of a table: as SQL, and for people. */
export interface QualifiedName {
  /** The schema, or what the database calls one. */
  readonly schema: string | undefined
  readonly table: string
  readonly quoted: string
  readonly text: string
}

/** How a database names its tables and what belongs to them. */
export interface TableNaming {
  /** Reads `table` or `schema.table`. Upper case is kept. @throws InvalidInputError */
  qualifiedName(text: string): QualifiedName
  /** Another thing of the schema of a table, such as an index or a trigger, as SQL. */
  besides(table: QualifiedName, name: string): string
  /** The table of jobs: the one that is named, or one in the schema of the table. @throws InvalidInputError */
  jobsName(table: QualifiedName, jobs: string | undefined): string
}

/**
 * The naming of one database.
 *
 * @param quote a name as SQL
 * @param fits whether the database takes a name as it is, neither cut nor refused
 */
export function tableNaming(quote: (name: string) => string, fits: (name: string) => boolean): TableNaming {
  const qualifiedName = (text: string): QualifiedName => {
    assertText(text, 'the name of a table')
    const parts = text.split('.')
    if (parts.length > 2 || parts.some((part) => part === '' || !fits(part) || part.includes('\0'))) {
      throw new InvalidInputError('a table must be named as users or schema.users')
    }
    const [schema, table] = parts.length === 2 ? parts : [undefined, parts[0]]
    return { schema, table: table as string, quoted: parts.map(quote).join('.'), text }
  }
  const besides = ({ schema }: QualifiedName, name: string): string =>
    schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`
  return {
    qualifiedName,
    besides,
    jobsName: (table, jobs) => (jobs === undefined ? besides(table, 'strongroom_jobs') : qualifiedName(jobs).quoted),
  }
}
