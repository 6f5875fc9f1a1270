import { join } from 'node:path'
import type pg from 'pg'
import { createKeyStoreFile, fileKeyStore, fileShredLedger } from '../../providers/file/index.ts'
import { postgresTable } from '../../providers/postgres/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { defineStrongroom } from '../../src/config.ts'
import { text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'

/** Every patient has a key of their own; their visits too, under the same key. */
export const patients = defineRecord(
  'patients',
  {
    email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
    note: text({ nullable: true }),
  },
  { id: 'id', tenant: 'clinic', subject: 'id' },
)
export const visits = defineRecord(
  'visits',
  { reason: text({ index: { column: 'reason_index', rows: 100_000 } }) },
  { id: 'visit', tenant: 'clinic', subject: 'patient' },
)

/** A Strongroom over patients and visits, whose keys and ledger are in a folder. */
export function configurePatients(folder: string, connectionString: string, step: (name: string) => void = () => {}) {
  return defineStrongroom({
    name: 'clinic',
    kms: rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 7) }),
    store: fileKeyStore({ path: join(folder, 'keys'), lockTimeoutMs: 30_000 }),
    shredLedger: fileShredLedger({ path: join(folder, 'ledger') }, step),
    records: { patients, visits },
    tables: {
      patients: postgresTable({ connectionString, table: 'patients' }),
      visits: postgresTable({ connectionString, table: 'visits' }),
    },
    backups: { keepDays: 35 },
    keyring: { refreshInterval: 100 },
  })
}

/** Makes keys and tables, with `count` patients of two clinics and two visits each. */
export async function createPatients(pool: pg.Pool, folder: string, connectionString: string, count: number) {
  await createKeyStoreFile({ path: join(folder, 'keys') })
  await pool.query(`create table patients (clinic text not null, id int primary key, email text, email_index text, note text);
create table visits (clinic text not null, visit uuid primary key default gen_random_uuid(), patient int not null, reason text, reason_index text)`)
  const room = await openStrongroom(configurePatients(folder, connectionString), { init: true })
  const ids = Array.from({ length: count }, (_, at) => at + 1)
  for (const row of await room.records.patients.encryptMany(ids.map(patient))) {
    await pool.query('insert into patients (clinic, id, email, email_index, note) values ($1, $2, $3, $4, $5)', [
      row.clinic,
      row.id,
      row.email,
      row.email_index,
      row.note,
    ])
  }
  const { rows: keys } = await pool.query(
    'insert into visits (clinic, patient) select clinic, id from patients, generate_series(1, 2) returning *',
  )
  for (const row of await room.records.visits.encryptMany(
    keys.map(({ clinic, visit, patient: id }) => ({ clinic, visit, patient: id, reason: `reason of ${id}` })),
  )) {
    await pool.query('update visits set reason = $2, reason_index = $3 where visit = $1', [
      row.visit,
      row.reason,
      row.reason_index,
    ])
  }
  return room
}

export type Clinic = Awaited<ReturnType<typeof createPatients>>

/** A patient as the application knows them. */
export const patient = (id: number) => ({
  id,
  clinic: id % 2 === 0 ? 'north' : 'south',
  email: `Patient.${id}@example.com`,
  note: id % 5 === 0 ? null : `note ${id}`,
})
