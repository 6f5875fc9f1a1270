import { assertObject } from '../../src/bytes.ts'
import { type KeyTablesPlace, type TableNames, tableNames } from './names.ts'

/** What this release reads and writes; the table `…_schema` says what is there. */
export const TABLES_VERSION = 1

/** Marks a table as one of a key store: MySQL cannot make several tables as one, so that some may be there alone. */
export const TABLE_COMMENT = 'strongroom key store'

/** Names of unique indexes, by which the server says what a row collides with. */
export const ACTIVE_INDEX = 'strongroom_active'
export const GENERATION_INDEX = 'strongroom_generation'

/**
 * The SQL that makes the tables of a key store, for whoever may create tables. It fails where the tables exist already.
 *
 * @throws InvalidInputError
 */
export function keyTablesSql(place: KeyTablesPlace = {}): string {
  assertObject(place, 'the place of the tables')
  const names = tableNames(place)
  const makeDatabase = names.database === undefined ? [] : [databaseSql(names.database)]
  return [...makeDatabase, ...tables(names).map(({ sql }) => sql), versionSql(names)].map((one) => `${one};\n`).join('')
}

/** Makes the database, where it may. */
export function databaseSql(database: string): string {
  return `create database if not exists \`${database}\``
}

/** Says which version the tables are of: the last step. */
export function versionSql({ version }: TableNames): string {
  return `insert ignore into ${version} (singleton, version) values (1, ${TABLES_VERSION})`
}

/**
 * The tables, each with the statement that makes it. Text is kept and compared byte for byte (`utf8mb4_bin`); where even a
 * space at the end must count, by its hash. A row is in the index of active keys only while it is active.
 */
export function tables({ keys, log, version }: TableNames): readonly { name: string; sql: string }[] {
  const options = `engine=InnoDB default character set utf8mb4 collate utf8mb4_bin comment='${TABLE_COMMENT}'`
  return [
    {
      name: keys,
      sql: `create table ${keys} (
  id varchar(32) not null check (id regexp '^[0-9a-f]{32}$'),
  commitment varchar(64) not null check (char_length(commitment) = 64),
  store varchar(255) not null,
  purpose varchar(16) not null check (purpose in ('root', 'data', 'index', 'pepper')),
  scope varchar(4096) not null,
  scope_hash binary(32) as (unhex(sha2(scope, 256))) stored,
  active_scope binary(32) as (case when state = 'active' then unhex(sha2(scope, 256)) end) stored,
  generation bigint not null check (generation >= 1),
  parent varchar(32),
  created_at varchar(40) not null, -- times are ISO 8601 in UTC, kept as text because a MAC covers them
  expires_at varchar(40),
  wraps mediumtext not null,
  state varchar(20) not null check (state in
    ('pending', 'active', 'suspended', 'decrypt_only', 'compromised', 'destroy_scheduled', 'destroyed')),
  state_at varchar(40) not null,
  reason text,
  rev bigint not null check (rev >= 1),
  mac varchar(64) not null check (char_length(mac) = 64),
  primary key (id),
  unique key ${ACTIVE_INDEX} (purpose, active_scope),
  unique key ${GENERATION_INDEX} (purpose, scope_hash, generation),
  key strongroom_state (purpose, state, id),
  key strongroom_parent (parent, id)
) ${options}`,
    },
    {
      name: log,
      sql: `create table ${log} (
  seq bigint not null check (seq >= 1),
  at varchar(40) not null,
  action varchar(255) not null,
  changes mediumtext not null,
  previous varchar(64) not null check (char_length(previous) = 64),
  hash varchar(64) not null check (char_length(hash) = 64),
  root varchar(64) not null,
  mac varchar(64) not null check (char_length(mac) = 64),
  primary key (seq)
) ${options}`,
    },
    {
      name: version,
      sql: `create table ${version} (
  singleton tinyint not null check (singleton = 1),
  version int not null,
  primary key (singleton)
) ${options}`,
    },
  ]
}
