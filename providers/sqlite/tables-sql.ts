import { assertObject } from '../../src/bytes.ts'
import { type KeyTablesPlace, tableNames } from './names.ts'

/** What this release reads and writes; the table `…_schema` says what is there. */
export const TABLES_VERSION = 1

/**
 * The SQL that makes the tables of a key store. It makes everything or nothing, and fails where the tables exist already.
 *
 * @throws InvalidInputError
 */
export function keyTablesSql(place: KeyTablesPlace = {}): string {
  assertObject(place, 'the place of the tables')
  return `begin immediate;\n${statements(place)}commit;\n`
}

/** The same without the transaction. Tables are strict: by itself SQLite keeps a number in a column of text. */
export function statements(place: KeyTablesPlace): string {
  const { table, keys, log, version } = tableNames(place)
  return `create table ${keys} (
  id text not null primary key check (length(id) = 32 and id not glob '*[^0-9a-f]*'),
  commitment text not null check (length(commitment) = 64),
  store text not null,
  purpose text not null check (purpose in ('root', 'data', 'index', 'pepper')),
  scope text not null check (length(scope) <= 4096),
  generation integer not null check (generation >= 1),
  parent text,
  created_at text not null, -- times are ISO 8601 in UTC
  expires_at text,
  wraps text not null,
  state text not null check (state in
    ('pending', 'active', 'suspended', 'decrypt_only', 'compromised', 'destroy_scheduled', 'destroyed')),
  state_at text not null,
  reason text,
  rev integer not null check (rev >= 1),
  mac text not null check (length(mac) = 64),
  unique (purpose, scope, generation)
) strict;
create unique index "${table}_active" on ${keys} (purpose, scope) where state = 'active';
create index "${table}_state" on ${keys} (purpose, state, id);
create index "${table}_parent" on ${keys} (parent, id);
create table ${log} (
  seq integer primary key check (seq >= 1),
  at text not null,
  action text not null,
  changes text not null,
  previous text not null check (length(previous) = 64),
  hash text not null check (length(hash) = 64),
  root text not null,
  mac text not null check (length(mac) = 64)
) strict;
create table ${version} (
  singleton integer primary key check (singleton = 1),
  version integer not null
) strict;
insert into ${version} (singleton, version) values (1, ${TABLES_VERSION});
`
}
