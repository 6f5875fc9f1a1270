/** Key records and encrypted tables in MySQL and MariaDB. Import from `strongroom/mysql`. */

export type { MysqlClient, MysqlConnection, MysqlPool, MysqlStatement } from './client.ts'
export { type CreateKeyTablesOptions, createKeyTables } from './create-tables.ts'
export { type MysqlKeyStoreOptions, mysqlKeyStore } from './key-store.ts'
export type { KeyTablesPlace } from './names.ts'
export { type MysqlTableOptions, mysqlTable } from './table.ts'
export { keyTablesSql } from './tables-sql.ts'
