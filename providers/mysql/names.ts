import { InvalidInputError } from '../../src/errors.ts'

/** Where the tables of a key store are. */
export interface KeyTablesPlace {
  /** An existing or future database; that of the connection by default. */
  readonly database?: string
  /** The table of keys; `_log` and `_schema` are appended for the two others. `strongroom_keys` by default. */
  readonly table?: string
}

/** Quoted names, ready for SQL, and bare ones. */
export interface TableNames {
  readonly database: string | undefined
  readonly table: string
  readonly keys: string
  readonly log: string
  readonly version: string
  /** What messages call the key store. */
  readonly place: string
}

/** MySQL takes names of 64 characters; the longest suffix takes 11. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,49}$/

/** Checks and quotes the names. @throws InvalidInputError */
export function tableNames({ database, table = 'strongroom_keys' }: KeyTablesPlace): TableNames {
  for (const [what, name] of Object.entries({ database, table })) {
    if (what === 'database' && name === undefined) continue
    if (typeof name !== 'string' || !NAME.test(name)) {
      throw new InvalidInputError(`${what} must be 1 to 50 letters, digits or _, and not begin with a digit`)
    }
  }
  const within = database === undefined ? '' : `\`${database}\`.`
  const quoted = (name: string) => `${within}\`${name}\``
  return {
    database,
    table,
    keys: quoted(table),
    log: quoted(`${table}_log`),
    version: quoted(`${table}_schema`),
    place: `mysql ${database === undefined ? '' : `${database}.`}${table}`,
  }
}
