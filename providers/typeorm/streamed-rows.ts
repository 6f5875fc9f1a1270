import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { DataSource, Driver, EntityMetadata, ObjectLiteral, QueryRunner, SelectQueryBuilder } from 'typeorm'
import { InvalidInputError } from '../../src/errors.ts'
import type { AnyRow, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { looksEncrypted } from '../../src/mapping/stored-value.ts'

/** Drivers of SQLite, for which TypeORM has no streams. */
const SQLITE: ReadonlySet<string> = new Set(['better-sqlite3', 'cordova', 'expo', 'react-native', 'sqlite', 'sqljs'])

/** The rows of a query builder one by one, as the database names their columns. Gives its connection back however it ends. */
export async function* streamedRows(
  dataSource: DataSource,
  query: SelectQueryBuilder<ObjectLiteral>,
): AsyncGenerator<AnyRow> {
  const { type } = dataSource.options
  if (SQLITE.has(type)) throw new InvalidInputError('TypeORM has no stream for SQLite: read by pages')
  const { queryRunner: given } = query as unknown as { readonly queryRunner?: QueryRunner }
  const runner = given ?? dataSource.createQueryRunner('slave')
  let stream: Readable | undefined
  let isWhole = false
  try {
    stream = (await query.clone().setQueryRunner(runner).stream()) as Readable
    for await (const row of stream) yield row as AnyRow
    isWhole = true
  } finally {
    // Closes the cursor of PostgreSQL.
    if (stream !== undefined) await finished(stream.destroy()).catch(() => undefined)
    if (given === undefined) {
      // MySQL has none: rows that nobody wants would still come, and the next query would wait for them.
      if (!isWhole && /^(mysql|mariadb)$/.test(type)) (await runner.connect()).destroy()
      await runner.release()
    }
  }
}

/** The properties of an entity in a row, by their names in the record; what else the row has keeps its name. */
export function namedProperties(
  row: AnyRow,
  alias: string,
  driver: Driver,
  metadata: EntityMetadata,
  record: MappedRecord,
): AnyRow {
  const out: Record<string, unknown> = {}
  const rest = new Set(Object.keys(row))
  for (const column of metadata.columns) {
    const { propertyPath: name, databaseName } = column
    const key = [`${alias}_${databaseName}`, databaseName].find((one) => rest.has(one))
    if (key === undefined) continue
    rest.delete(key)
    const isOurs = record.fields.has(name) || record.indexColumns.has(name)
    out[name] = isOurs ? row[key] : driver.prepareHydratedValue(row[key], column)
  }
  for (const key of rest) {
    if (looksEncrypted(row[key])) {
      throw new InvalidInputError(
        `${JSON.stringify(key)} in the rows of ${record.name} is a ciphertext: a stream decrypts the columns of one entity, under their own names and a short alias`,
      )
    }
    out[key] = row[key]
  }
  return out
}
