import { InvalidInputError } from '../../src/errors.ts'

/** The name of a table: as SQL, and for people. */
export interface QualifiedName {
  readonly schema: string | undefined
  readonly table: string
  readonly quoted: string
  readonly text: string
}

/** PostgreSQL cuts names at 63 bytes. */
const MAX_NAME = 63

/** Reads `table` or `schema.table`. Upper case is kept. @throws InvalidInputError */
export function qualifiedName(text: string): QualifiedName {
  const parts = text.split('.')
  if (
    parts.length > 2 ||
    parts.some((part) => part === '' || Buffer.byteLength(part) > MAX_NAME || part.includes('\0'))
  ) {
    throw new InvalidInputError('a table must be named as users or schema.users')
  }
  const [schema, table] = parts.length === 2 ? parts : [undefined, parts[0]]
  return { schema, table: table as string, quoted: parts.map(quote).join('.'), text }
}

/** A name as SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
