import type { KeyStore } from '../../../src/key-store.ts'

/** The key store of a database, told by its URL. */
export async function storeAt(url: string, table?: string): Promise<KeyStore> {
  const place = table === undefined ? {} : { table }
  const { protocol } = new URL(url)
  if (protocol === 'postgres:') {
    const { postgresKeyStore } = await import('../../../providers/postgres/index.ts')
    return postgresKeyStore({ connectionString: url, ...place })
  }
  if (protocol === 'mysql:') {
    const { mysqlKeyStore } = await import('../../../providers/mysql/index.ts')
    return mysqlKeyStore({ connectionString: url, ...place })
  }
  throw new Error(`no key store for ${protocol}`)
}
