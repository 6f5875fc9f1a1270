import { type ColumnType, type Generated, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Strongroom } from 'strongroom'
import { type EncryptedTable, strongroomPlugin } from 'strongroom/kysely'
import type { accounts, customers, records } from './records.ts'

/** The Strongroom of this service. */
export type Room = Strongroom<typeof records>

interface Tables {
  accounts: EncryptedTable<typeof accounts, { id: string; tenant: string; password_hash: string }>
  customers: EncryptedTable<typeof customers, { id: string; tenant: string; added_at: Generated<Date> }>
  sessions: { digest: string; account: string; tenant: string; ends_at: ColumnType<Date, Date, never> }
}

export type Database = Kysely<Tables>

/** Ordinary queries: the plugin encrypts what they write and decrypts what they read. */
export function openDatabase(connectionString: string, room: Room): Database {
  const dialect = new PostgresDialect({ pool: new pg.Pool({ connectionString }) })
  return new Kysely<Tables>({ dialect, plugins: [strongroomPlugin(room.records)] })
}
