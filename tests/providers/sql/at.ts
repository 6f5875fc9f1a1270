import { mysqlKeyStore, mysqlTable } from '../../../providers/mysql/index.ts'
import { postgresKeyStore, postgresTable } from '../../../providers/postgres/index.ts'
import { sqliteKeyStore, sqliteTable } from '../../../providers/sqlite/index.ts'
import type { KeyStore } from '../../../src/key-store.ts'
import type { Table } from '../../../src/table.ts'
import { openSqlite } from '../../fixtures/sqlite.ts'

/** The key store of a database, told by its URL. */
export function storeAt(url: string, table?: string): KeyStore {
  const place = table === undefined ? {} : { table }
  const { protocol, pathname } = new URL(url)
  if (protocol === 'sqlite:') return sqliteKeyStore({ database: openSqlite(pathname), ...place })
  return protocol === 'mysql:'
    ? mysqlKeyStore({ connectionString: url, ...place })
    : postgresKeyStore({ connectionString: url, ...place })
}

/** A table of a database, told by its URL. */
export function tableAt(url: string, table: string): Table {
  const { protocol, pathname } = new URL(url)
  if (protocol === 'sqlite:') return sqliteTable({ database: openSqlite(pathname), table })
  return protocol === 'mysql:'
    ? mysqlTable({ connectionString: url, table })
    : postgresTable({ connectionString: url, table })
}
