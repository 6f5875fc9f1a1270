import { assertObject } from '../../src/bytes.ts'
import { ConfigError } from '../../src/errors.ts'
import { codeOf } from '../../src/sql/faults.ts'
import { assertConnection, connectPostgres, type PostgresConnection, type PostgresPool } from './client.ts'
import { postgresError } from './faults.ts'
import { type KeyTablesPlace, type TableNames, tableNames } from './names.ts'
import { statements, TABLES_VERSION } from './tables-sql.ts'

/** Where to make the tables of a key store. */
export interface CreateKeyTablesOptions extends PostgresConnection, KeyTablesPlace {}

/**
 * Makes the tables of a key store, all of them or none, where they do not exist. The role must be allowed to create
 * tables in the schema, and the schema itself where it is missing. Several processes may call it at once.
 *
 * @returns whether it made them
 * @throws KeyStoreError, InvalidInputError; ConfigError when the tables are of another release
 */
export async function createKeyTables(options: CreateKeyTablesOptions): Promise<boolean> {
  assertObject(options, 'the options')
  assertConnection(options)
  const names = tableNames(options)
  const { pool, close } = await connectPostgres(options)
  try {
    return await create(pool, options, names)
  } catch (error) {
    throw postgresError(placeOf(names), error)
  } finally {
    await close()
  }
}

/** Refuses tables that are missing or of another release. */
export async function assertVersion(pool: Pick<PostgresPool, 'query'>, names: TableNames): Promise<void> {
  const { rows } = await pool.query(`select version::text as version from ${names.version}`)
  const version = Number(rows[0]?.version)
  if (version === TABLES_VERSION) return
  throw new ConfigError(
    `${placeOf(names)}: the tables are of version ${version}, this release of Strongroom uses ${TABLES_VERSION}`,
  )
}

/** What messages call a key store. */
export function placeOf({ schema, table }: TableNames): string {
  return `postgres ${schema}.${table}`
}

async function create(pool: PostgresPool, place: KeyTablesPlace, names: TableNames): Promise<boolean> {
  const client = await pool.connect()
  let healthy = false
  try {
    await client.query('begin isolation level read committed read write')
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [placeOf(names)])
    const exists = 'select to_regclass($1)::text as "table", to_regnamespace($2)::text as "schema"'
    const [found] = (await client.query(exists, [names.version, `"${names.schema}"`])).rows
    if (typeof found?.table === 'string') await assertVersion(client, names)
    else {
      if (typeof found?.schema !== 'string') await client.query(`create schema "${names.schema}"`)
      await client.query(statements(place))
    }
    await client.query('commit')
    healthy = true
    return typeof found?.table !== 'string'
  } catch (error) {
    healthy = await client.query('rollback').then(
      () => true,
      () => false,
    )
    if (codeOf(error) === DUPLICATE_TABLE) {
      throw new ConfigError(`${placeOf(names)}: another table of this name exists already`, { cause: error })
    }
    throw error
  } finally {
    client.release(!healthy)
  }
}

const DUPLICATE_TABLE = '42P07'
