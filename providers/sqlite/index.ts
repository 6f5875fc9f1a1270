/** Key records and encrypted tables in SQLite. Import from `strongroom/sqlite`. */

export { type CreateKeyTablesOptions, createKeyTables } from './create-tables.ts'
export type { SqliteConnection, SqliteDatabase, SqliteStatement } from './database.ts'
export { type SqliteKeyStoreOptions, sqliteKeyStore } from './key-store.ts'
export type { KeyTablesPlace } from './names.ts'
export { type SqliteTableOptions, sqliteTable } from './table.ts'
export { keyTablesSql } from './tables-sql.ts'
