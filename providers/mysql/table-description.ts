import { TableError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import type { TableColumn, TableDescription, TableIndex } from '../../src/table.ts'
import { type CellText, cellText } from './cell-text.ts'
import { type CatalogueType, type KeyType, keyType } from './key-types.ts'
import { readCommitted, type Session } from './session.ts'

type Row = Readonly<Record<string, unknown>>

/** A table, and what statements need to know of it. */
export interface KnownTable {
  readonly name: QualifiedName
  readonly description: TableDescription
  /** In the order of the primary key. */
  readonly keyTypes: readonly KeyType[]
  /** Of every column whose values travel as text. */
  readonly types: ReadonlyMap<string, KeyType>
  /** Of every column whose values have a text. */
  readonly texts: ReadonlyMap<string, CellText>
  /** Columns that the server sets to the time of an update by itself. */
  readonly stamped: readonly string[]
}

const TEXTS = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext'])
/** `binary(n)` fills shorter values up with zeros, which would spoil a ciphertext: it holds no bytes that come back as they were. */
const BYTES = new Set(['varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob'])

/** Reads the catalogue. @throws TableError when there is no such table, it has no primary key or no transactions */
export async function describeTable(session: Session, name: QualifiedName): Promise<KnownTable> {
  const of = [name.schema ?? null, name.table]
  // MySQL keeps these numbers for a day where it is not told otherwise; MariaDB takes this for a comment.
  await session.affected('set @strongroom_stats = 0 /*!80000 , @@session.information_schema_stats_expiry = 0 */')
  const found = exactly(name.table, await readCommitted(session, TABLE, of))
  if (found === undefined) throw new TableError('misconfigured', `table ${name.text} does not exist`)
  if (!TRANSACTIONAL.has(String(found.engine).toLowerCase())) {
    throw new TableError(
      'misconfigured',
      `table ${name.text} is of the engine ${found.engine}, which has no transactions: alter it to InnoDB`,
    )
  }
  const within = [found.in_schema, found.name]
  const rows = await readCommitted(session, COLUMNS, within)
  const columns = rows.map(columnOf)
  const { primary, indexes } = indexesOf(await readCommitted(session, INDEXES, within))
  if (primary === undefined) {
    throw new TableError('misconfigured', `table ${name.text} has no primary key: rows could not be told apart`)
  }
  const description: TableDescription = {
    primaryKey: primary.columns,
    columns,
    indexes,
    estimatedRows: Number(found.estimate ?? 0),
    bytes: Number(found.bytes ?? 0),
  }
  const typed = rows.map((row) => [String(row.name), keyType(typeOf(row))] as const)
  const types = new Map(typed.flatMap(([column, type]) => (type === undefined ? [] : [[column, type] as const])))
  const texts = new Map(
    rows.flatMap((row) => {
      const text = cellText(typeOf(row))
      return text === undefined ? [] : [[String(row.name), text] as const]
    }),
  )
  const keyTypes = primary.columns.map((column) => {
    const type = types.get(column)
    if (type !== undefined) return type
    const { type: called } = columns.find((candidate) => candidate.name === column) as TableColumn
    throw new TableError(
      'misconfigured',
      `${name.text}.${column} is of the type ${called}, by which rows cannot be paged`,
    )
  })
  return {
    name,
    description,
    keyTypes,
    types,
    texts,
    stamped: rows.filter((row) => /on update/i.test(String(row.extra))).map((row) => String(row.name)),
  }
}

const TRANSACTIONAL = new Set(['innodb', 'rocksdb', 'ndbcluster'])

/** Names of tables are compared without case by the catalogue, and with case by most servers. */
function exactly(table: string, rows: readonly Row[]): Row | undefined {
  return rows.find((row) => row.name === table) ?? (rows.length === 1 && rows[0]?.folds === '1' ? rows[0] : undefined)
}

function columnOf(row: Row): TableColumn {
  const base = String(row.base)
  const holds = TEXTS.has(base) ? 'text' : BYTES.has(base) ? 'bytes' : 'other'
  const unlimited = base === 'longtext' || base === 'longblob'
  return {
    name: String(row.name),
    // A column made of this type compares its text as this one does.
    type: row.collation === null ? String(row.type) : `${row.type} collate ${row.collation}`,
    holds,
    nullable: row.nullable === 'YES',
    width: unlimited || row.width === null || holds === 'other' ? null : Number(row.width),
    ...alteredBy(row),
    ...(cellText(typeOf(row)) === undefined && { noText: NO_TEXT }),
  }
}

const NO_TEXT = 'has no text that tells its values apart: copy them to a column of text, JSON or bytes first'

/** Numbers and times are rounded, also where the server is strict. */
function alteredBy({ base, scale, decimals }: Row): Pick<TableColumn, 'alters'> {
  if (base === 'char') return { alters: { trims: true } }
  const numbers = ({ float: 'single', double: 'double' } as const)[String(base)]
  const digits = scale ?? decimals
  if (numbers === undefined && digits === null) return {}
  return { alters: { ...(numbers && { numbers }), ...(digits !== null && { decimals: Number(digits) }) } }
}

function typeOf(row: Row): CatalogueType {
  return {
    base: String(row.base),
    type: String(row.type),
    charset: row.charset as string | null,
    collation: row.collation as string | null,
    decimals: Number(row.decimals ?? 0),
  }
}

function indexesOf(rows: readonly Row[]): { primary: TableIndex | undefined; indexes: TableIndex[] } {
  const indexes = new Map<string, { name: string; columns: string[]; unique: boolean }>()
  for (const row of rows) {
    const name = String(row.name)
    const index = indexes.get(name) ?? { name, columns: [], unique: row.unique_there === '1' }
    // An expression has no column, and the beginning of a column may be the same in two rows.
    if (row.column_there === null || row.part !== null) index.unique = false
    if (row.column_there !== null) index.columns.push(String(row.column_there))
    indexes.set(name, index)
  }
  const all = [...indexes.values()]
  return { primary: all.find(({ name, unique }) => name === 'PRIMARY' && unique), indexes: all }
}

const TABLE = `select table_schema as in_schema, table_name as name, engine as engine, cast(table_rows as char) as estimate,
  cast(data_length + index_length as char) as bytes, cast(@@lower_case_table_names > 0 as char) as folds
from information_schema.tables where table_schema = coalesce(?, database()) and table_name = ? and table_type = 'BASE TABLE'`

const COLUMNS = `select column_name as name, data_type as base, column_type as type, is_nullable as nullable,
  character_set_name as charset, collation_name as collation, cast(character_maximum_length as char) as width,
  cast(datetime_precision as char) as decimals, cast(numeric_scale as char) as scale, extra as extra
from information_schema.columns where table_schema = ? and table_name = ? order by ordinal_position`

const INDEXES = `select index_name as name, column_name as column_there, cast(sub_part as char) as part,
  cast(non_unique = 0 as char) as unique_there
from information_schema.statistics where table_schema = ? and table_name = ? order by index_name, seq_in_index`
