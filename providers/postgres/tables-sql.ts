import { assertObject } from '../../src/bytes.ts'
import { type KeyTablesPlace, tableNames } from './names.ts'

/** What this release reads and writes; the table `…_schema` says what is there. */
export const TABLES_VERSION = 1

/**
 * The SQL that makes the tables of a key store, for whoever may create tables. It makes everything or nothing, and fails
 * where the tables exist already.
 *
 * @throws InvalidInputError
 */
export function keyTablesSql(place: KeyTablesPlace = {}): string {
  assertObject(place, 'the place of the tables')
  const { schema } = tableNames(place)
  const makeSchema = schema === 'public' ? '' : `create schema if not exists "${schema}";\n`
  return `begin;\n${makeSchema}${statements(place)}commit;\n`
}

/** The same without the transaction and the schema. Text is compared byte for byte: hence the collation. */
export function statements(place: KeyTablesPlace): string {
  const { table, keys, log, version } = tableNames(place)
  return `create table ${keys} (
  id text collate "C" not null check (id ~ '^[0-9a-f]{32}$'),
  commitment text collate "C" not null check (length(commitment) = 64),
  store text collate "C" not null,
  purpose text collate "C" not null check (purpose in ('root', 'data', 'index', 'pepper')),
  scope text collate "C" not null check (length(scope) <= 4096),
  scope_hash bytea not null, -- SHA-256 of the scope, which is too long for an index
  generation bigint not null check (generation >= 1),
  parent text collate "C",
  created_at text collate "C" not null, -- times are ISO 8601 in UTC, kept as text because a MAC covers them
  expires_at text collate "C",
  wraps jsonb not null,
  state text collate "C" not null check (state in
    ('pending', 'active', 'suspended', 'decrypt_only', 'compromised', 'destroy_scheduled', 'destroyed')),
  state_at text collate "C" not null,
  reason text collate "C",
  rev bigint not null check (rev >= 1),
  mac text collate "C" not null check (length(mac) = 64),
  constraint "${table}_pkey" primary key (id),
  constraint "${table}_generation" unique (purpose, scope_hash, generation)
);
create unique index "${table}_active" on ${keys} (purpose, scope_hash) where state = 'active';
create index "${table}_state" on ${keys} (purpose, state, id);
create index "${table}_parent" on ${keys} (parent, id);
create table ${log} (
  seq bigint not null check (seq >= 1),
  at text collate "C" not null,
  action text collate "C" not null,
  changes jsonb not null,
  previous text collate "C" not null check (length(previous) = 64),
  hash text collate "C" not null check (length(hash) = 64),
  root text collate "C" not null,
  mac text collate "C" not null check (length(mac) = 64),
  constraint "${table}_log_pkey" primary key (seq)
);
create table ${version} (
  singleton boolean not null default true check (singleton) primary key,
  version integer not null
);
insert into ${version} (version) values (${TABLES_VERSION});
`
}
