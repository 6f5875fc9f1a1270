import { mysqlKeyStore, mysqlTable } from '../../../providers/mysql/index.ts'
import { postgresKeyStore, postgresTable } from '../../../providers/postgres/index.ts'
import type { KeyStore } from '../../../src/key-store.ts'
import type { Table } from '../../../src/table.ts'

/** The key store of a database, told by its URL. */
export function storeAt(url: string, table?: string): KeyStore {
  const place = { connectionString: url, ...(table !== undefined && { table }) }
  return schemeOf(url) === 'mysql' ? mysqlKeyStore(place) : postgresKeyStore(place)
}

/** A table of a database, told by its URL. */
export function tableAt(url: string, table: string): Table {
  const place = { connectionString: url, table }
  return schemeOf(url) === 'mysql' ? mysqlTable(place) : postgresTable(place)
}

function schemeOf(url: string): string {
  return new URL(url).protocol.slice(0, -1)
}
