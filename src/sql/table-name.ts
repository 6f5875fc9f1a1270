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

/** Reads `table` or `schema.table`. Upper case is kept. @throws InvalidInputError */
export function readTableName(
  text: string,
  quote: (name: string) => string,
  fits: (name: string) => boolean,
): QualifiedName {
  assertText(text, 'the name of a table')
  const parts = text.split('.')
  if (parts.length > 2 || parts.some((part) => part === '' || !fits(part) || part.includes('\0'))) {
    throw new InvalidInputError('a table must be named as users or schema.users')
  }
  const [schema, table] = parts.length === 2 ? parts : [undefined, parts[0]]
  return { schema, table: table as string, quoted: parts.map(quote).join('.'), text }
}

/** Another thing of the schema of a table, such as an index or a trigger, as SQL. */
export function besidesTable({ schema }: QualifiedName, name: string, quote: (name: string) => string): string {
  return schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`
}
