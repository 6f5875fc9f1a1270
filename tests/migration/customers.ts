import { join } from 'node:path'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { defineStrongroom } from '../../src/config.ts'
import { defineMigration } from '../../src/migration/define-migration.ts'
import { bigint, boolean, bytes, date, integer, json, number, text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { tableAt } from '../providers/sql/at.ts'
import type { AppDatabase } from './app-database.ts'

/** A column that keeps its name, with an index; the others get new ones. Every type of column is there once. */
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
export function configure(folder: string, url: string) {
  return defineStrongroom({
    name: 'migration',
    kms: rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 7) }),
    store: fileKeyStore({ path: join(folder, 'keys'), lockTimeoutMs: 30_000 }),
    records: { customers },
    tables: { customers: tableAt(url, 'customers') },
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

const COLUMNS =
  'id tenant email note born last_seen visit_count amount rating point_count active prefs photo ref'.split(' ')

/** Inserts rows as the application does that knows nothing of encryption. */
export async function insertCustomers(app: AppDatabase, ids: readonly number[]): Promise<void> {
  const cells = ids
    .map(customer)
    .flatMap((row) => [
      row.id,
      row.tenant,
      row.email,
      row.note,
      row.birthDate?.toISOString().slice(0, 10) ?? null,
      app.moment(row.lastSeen.toISOString()),
      row.visits,
      row.balance,
      row.score,
      String(row.points),
      row.isActive,
      row.settings && JSON.stringify(row.settings),
      row.photoBytes && Buffer.from(row.photoBytes),
      row.reference,
    ])
  const rows = ids.map((_, row) => `(${COLUMNS.map((_, at) => `$${row * COLUMNS.length + at + 1}`).join(', ')})`)
  await app.query(`insert into customers (${COLUMNS.join(', ')}) values ${rows.join(', ')}`, cells)
}

/** Makes the keys, and a table with `count` rows of plaintext. */
export async function createCustomers(app: AppDatabase, folder: string, count: number) {
  await createKeyStoreFile({ path: join(folder, 'keys') })
  const { text, time, double, boolean, json, bytes, uuid } = app.types
  await app.query(`create table customers (tenant ${text} not null, id integer primary key, email ${text} not null,
    note ${text}, born date, last_seen ${time}, visit_count integer not null, amount numeric(12,2), rating ${double},
    point_count bigint, active ${boolean}, prefs ${json}, photo ${bytes}, ref ${uuid}, nickname ${text} default 'plain')`)
  await app.query('create unique index customers_email on customers (email)')
  await insertCustomers(
    app,
    Array.from({ length: count }, (_, at) => at + 1),
  )
  return openStrongroom(configure(folder, app.url), { init: true })
}

export type Room = Awaited<ReturnType<typeof createCustomers>>

/** What the encrypted columns say, row by row. */
export async function decrypted(room: Room, app: AppDatabase): Promise<Customer[]> {
  const columns = ['id', 'tenant', ...Object.keys(customers.fields)].map((name) => `"${name}"`).join(', ')
  const rows = await app.query(`select ${columns} from customers order by id`)
  return (await room.records.customers.decryptMany(rows as never)) as Customer[]
}

/** What the old columns say, row by row, as far as they are there; `swapped` for the names they have after the switch. */
export async function plain(app: AppDatabase, swapped = false): Promise<Record<string, unknown>[]> {
  const suffix = swapped ? '_plaintext' : ''
  const rows = await app.query(`select id, tenant, "email${suffix}" as email, "note${suffix}" as note,
    ${app.textOf('born')} as "birthDate", ${app.isoOf('last_seen')} as "lastSeen", visit_count as visits,
    ${app.numberOf('amount')} as balance, ${app.numberOf('rating')} as score, ${app.textOf('point_count')} as points, active as "isActive",
    ${app.textOf('prefs')} as settings, photo as "photoBytes", ${app.textOf('ref')} as reference from customers order by id`)
  return rows.map((row) => ({
    ...row,
    birthDate: row.birthDate === null ? null : new Date(`${row.birthDate}T00:00:00Z`),
    lastSeen: new Date(`${String(row.lastSeen).replace(' ', 'T')}Z`),
    balance: Number(row.balance),
    score: row.score === null ? null : Number(row.score),
    points: BigInt(String(row.points)),
    isActive: row.isActive === null ? null : Boolean(row.isActive),
    settings: row.settings === null ? null : JSON.parse(String(row.settings)),
    photoBytes: row.photoBytes && new Uint8Array(row.photoBytes as Uint8Array),
  }))
}
