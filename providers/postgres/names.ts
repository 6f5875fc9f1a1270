import { InvalidInputError } from '../../src/errors.ts'

/** Where the tables of a key store are. */
export interface KeyTablesPlace {
  /** An existing or future schema; `public` by default. */
  readonly schema?: string
  /** The table of keys; `_log` and `_schema` are appended for the two others. `strongroom_keys` by default. */
  readonly table?: string
}

/** Quoted names, ready for SQL, and bare ones as PostgreSQL reports them. */
export interface TableNames {
  readonly schema: string
  readonly table: string
  readonly keys: string
  readonly log: string
  readonly version: string
}

/** PostgreSQL cuts names at 63 bytes; the longest suffix takes 11. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,49}$/

/** Checks and quotes the names. Upper case is kept, as PostgreSQL keeps it in quotes. @throws InvalidInputError */
export function tableNames({ schema = 'public', table = 'strongroom_keys' }: KeyTablesPlace): TableNames {
  for (const [what, name] of Object.entries({ schema, table })) {
    if (typeof name !== 'string' || !NAME.test(name)) {
      throw new InvalidInputError(`${what} must be 1 to 50 letters, digits or _, and not begin with a digit`)
    }
  }
  const quoted = (name: string) => `"${schema}"."${name}"`
  return { schema, table, keys: quoted(table), log: quoted(`${table}_log`), version: quoted(`${table}_schema`) }
}
