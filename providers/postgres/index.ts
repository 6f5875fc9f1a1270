/** Key records and encrypted tables in PostgreSQL. Import from `strongroom/postgres`. */

export type { PostgresClient, PostgresConnection, PostgresPool, PostgresResult } from './client.ts'
export { type CreateKeyTablesOptions, createKeyTables } from './create-tables.ts'
export { type PostgresKeyStoreOptions, postgresKeyStore } from './key-store.ts'
export type { KeyTablesPlace } from './names.ts'
export { type PostgresTableOptions, postgresTable } from './table.ts'
export { keyTablesSql } from './tables-sql.ts'
