import { join } from 'node:path'
import type pg from 'pg'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { postgresTable } from '../../providers/postgres/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { defineStrongroom } from '../../src/config.ts'
import { defineMigration } from '../../src/migration/define-migration.ts'
import { bigint, boolean, bytes, date, integer, json, number, text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'

/** A column that keeps its name, with an index; the others get new ones. Every type of SQL is there once. */
export const customers = defineRecord(
  'customers',
  {
    email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
    note: text({ nullable: true }),
    birthDate: date({ nullable: true }),
    lastSeen: date({ nullable: true }),
    visits: integer({ storage: 'binary' }),
    balance: number({ nullable: true }),
    score: number({ nullable: true }),
    points: bigint({ nullable: true }),
    isActive: boolean({ nullable: true }),
    settings: json({ nullable: true }),
    photoBytes: bytes({ nullable: true, storage: 'binary' }),
    reference: text({ nullable: 'visible' }),
  },
  { id: 'id', tenant: 'tenant' },
)

export const migration = defineMigration(customers, {
  columns: {
    email: { from: 'email' },
    note: { from: 'note' },
    birthDate: { from: 'born' },
    lastSeen: { from: 'last_seen' },
    visits: { from: 'visit_count' },
    balance: { from: 'amount' },
    score: { from: 'rating' },
    points: { from: 'point_count' },
    isActive: { from: 'active' },
    settings: { from: 'prefs' },
    photoBytes: { from: 'photo' },
    reference: { from: 'ref' },
  },
})

/** A Strongroom over a table of customers that is being migrated, whose keys are in a folder. */
export function configure(folder: string, connectionString: string) {
  return defineStrongroom({
    name: 'migration',
    kms: rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 7) }),
    store: fileKeyStore({ path: join(folder, 'keys'), lockTimeoutMs: 30_000 }),
    records: { customers },
    tables: { customers: postgresTable({ connectionString, table: 'customers' }) },
    migrations: { customers: migration },
  })
}

export const TENANTS = ['acme', 'globex', 'initech']

/** The customer of one id, as the application knows it. */
export const customer = (id: number) => ({
  id,
  tenant: TENANTS[id % TENANTS.length] as string,
  email: `Person.${id}@example.com`,
  note: id % 7 === 0 ? null : `note "${id}" ü`,
  birthDate: id % 5 === 0 ? null : new Date(Date.UTC(1950 + (id % 50), id % 12, 1 + (id % 28))),
  lastSeen: new Date(Date.UTC(2026, 0, 1) + id * 1_234_567),
  visits: id * 3,
  balance: id / 100,
  score: id % 3 === 0 ? null : id / 7,
  points: 10n ** 17n + BigInt(id),
  isActive: id % 2 === 0,
  settings: id % 4 === 0 ? null : { theme: 'dark', list: [id, 'x'] },
  photoBytes: id % 6 === 0 ? null : new Uint8Array([0, 255, id % 256]),
  reference: id % 9 === 0 ? null : `6ba7b810-9dad-41d1-80b4-${String(id).padStart(12, '0')}`,
})

export type Customer = ReturnType<typeof customer>

/** Inserts rows as the application does that knows nothing of encryption. */
export async function insertCustomers(pool: pg.Pool, ids: readonly number[]): Promise<void> {
  await pool.query(
    `insert into customers (id, tenant, email, note, born, last_seen, visit_count, amount, rating, point_count, active, prefs, photo, ref)
select (r->>'id')::int, r->>'tenant', r->>'email', r->>'note', (r->>'birthDate')::timestamptz at time zone 'utc', (r->>'lastSeen')::timestamptz,
  (r->>'visits')::int, (r->>'balance')::numeric, (r->>'score')::float8, (r->>'points')::bigint, (r->>'isActive')::boolean,
  nullif(r->'settings', 'null'::jsonb), decode(r->>'photoBytes', 'hex'), (r->>'reference')::uuid from unnest($1::jsonb[]) as r`,
    [
      ids.map(customer).map((row) =>
        JSON.stringify({
          ...row,
          points: String(row.points),
          photoBytes: row.photoBytes && Buffer.from(row.photoBytes).toString('hex'),
        }),
      ),
    ],
  )
}

/** Makes the keys, and a table with `count` rows of plaintext. */
export async function createCustomers(pool: pg.Pool, folder: string, connectionString: string, count: number) {
  await createKeyStoreFile({ path: join(folder, 'keys') })
  await pool.query(`create table customers (tenant text not null, id int primary key, email text not null, note text, born date,
    last_seen timestamptz, visit_count integer not null, amount numeric(12,2), rating double precision, point_count bigint,
    active boolean, prefs jsonb, photo bytea, ref uuid, nickname text default 'plain')`)
  await pool.query('create unique index customers_email on customers (email)')
  await insertCustomers(
    pool,
    Array.from({ length: count }, (_, at) => at + 1),
  )
  return openStrongroom(configure(folder, connectionString), { init: true })
}

export type Room = Awaited<ReturnType<typeof createCustomers>>

/** What the encrypted columns say, row by row. */
export async function decrypted(room: Room, pool: pg.Pool): Promise<Customer[]> {
  const columns = ['id', 'tenant', ...Object.keys(customers.fields)].map((name) => `"${name}"`).join(', ')
  const { rows } = await pool.query(`select ${columns} from customers order by id`)
  return (await room.records.customers.decryptMany(rows)) as Customer[]
}

/** What the old columns say, row by row, as far as they are there; `swapped` for the names they have after the switch. */
export async function plain(pool: pg.Pool, swapped = false): Promise<Record<string, unknown>[]> {
  const suffix = swapped ? '_plaintext' : ''
  const { rows } =
    await pool.query(`select id, tenant, "email${suffix}" as email, "note${suffix}" as note, born::text as "birthDate",
    last_seen as "lastSeen", visit_count as visits, amount::float8 as balance, rating as score, point_count::text as points,
    active as "isActive", prefs as settings, photo as "photoBytes", ref as reference from customers order by id`)
  return rows.map((row) => ({
    ...row,
    birthDate: row.birthDate === null ? null : new Date(`${row.birthDate}T00:00:00Z`),
    points: BigInt(row.points),
    photoBytes: row.photoBytes && new Uint8Array(row.photoBytes),
  }))
}
