import { InvalidInputError } from '../../src/errors.ts'

/** Where the tables of a key store are. */
export interface KeyTablesPlace {
  /** The table of keys; `_log` and `_schema` are appended for the two others. `strongroom_keys` by default. */
  readonly table?: string
}

/** Quoted names, ready for SQL. */
export interface TableNames {
  readonly table: string
  readonly keys: string
  readonly log: string
  readonly version: string
  /** What messages call the key store. */
  readonly place: string
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,49}$/

/** Checks and quotes the names. @throws InvalidInputError */
export function tableNames({ table = 'strongroom_keys' }: KeyTablesPlace): TableNames {
  if (typeof table !== 'string' || !NAME.test(table) || /^sqlite_/i.test(table)) {
    throw new InvalidInputError('table must be 1 to 50 letters, digits or _, and not begin with a digit')
  }
  const quoted = (name: string) => `"${name}"`
  return {
    table,
    keys: quoted(table),
    log: quoted(`${table}_log`),
    version: quoted(`${table}_schema`),
    place: `sqlite ${table}`,
  }
}
