import { join } from 'node:path'
import { defineRecord, defineStrongroom, text } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { postgresTable } from 'strongroom/postgres'
import { sodiumKms } from 'strongroom/sodium'

const TOMORROW = new Date(Date.now() + 86_400_000)
const migrating = { state: 'migrating', until: TOMORROW } as const

/** A record whose table still holds plaintext. */
const patients = defineRecord(
  'patients',
  {
    email: text({ ...migrating, index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
    note: text(migrating),
  },
  { id: 'id' },
)

/** The configuration that the application and the job share. */
export function configurePatients(folder: string, connectionString: string) {
  return defineStrongroom({
    name: 'clinic',
    kms: sodiumKms({ path: join(folder, 'strongroom.key') }),
    store: fileKeyStore({ path: join(folder, 'strongroom.keys') }),
    records: { patients },
    tables: { patients: postgresTable({ connectionString, table: 'patients' }) },
    keyring: { refreshInterval: 200 },
    backups: { keepDays: 0 },
    quarantineDays: 0,
  })
}
