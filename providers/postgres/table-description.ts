import { TableError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import type { TableColumn, TableDescription } from '../../src/table.ts'
import type { PostgresPool } from './client.ts'

/** A table, and the types that its key columns are compared in. */
export interface KnownTable {
  readonly name: QualifiedName
  readonly description: TableDescription
  readonly types: ReadonlyMap<string, string>
}

const TEXTS = new Set(['text', 'character varying', 'citext', 'bpchar', 'name'])

/** Reads the catalogue. @throws TableError when there is no such table, or it has no primary key */
export async function describeTable(pool: PostgresPool, name: QualifiedName): Promise<KnownTable> {
  const [found] = (await pool.query(TABLE, [name.quoted])).rows
  if (typeof found?.oid !== 'string') throw new TableError('misconfigured', `table ${name.text} does not exist`)
  // Policies hide rows from a role in silence: what a job or a count cannot see, it would take for done.
  if (found.filtered === true) {
    throw new TableError('misconfigured', `row level security hides rows of ${name.text}: use a role with bypassrls`)
  }
  const { rows } = await pool.query(COLUMNS, [found.oid])
  const columns = rows.map((row): TableColumn => {
    const base = String(row.base)
    const holds = TEXTS.has(base) ? 'text' : base === 'bytea' ? 'bytes' : 'other'
    return {
      name: String(row.name),
      type: String(row.type),
      holds,
      nullable: row.nullable === true,
      width: row.width === null ? null : Number(row.width),
      ...alteredBy(base, row.decimals),
    }
  })
  const indexes = (await pool.query(INDEXES, [found.oid])).rows.map((row) => ({
    name: String(row.name),
    columns: row.columns as string[],
    unique: row.unique === true,
    primary: row.primary === true,
  }))
  const primaryKey = indexes.find((index) => index.primary)?.columns
  if (primaryKey === undefined) {
    throw new TableError('misconfigured', `table ${name.text} has no primary key: rows could not be told apart`)
  }
  return {
    name,
    types: new Map(rows.map((row) => [String(row.name), String(row.base)])),
    description: {
      primaryKey,
      columns,
      indexes: indexes.map(({ primary: _, ...index }) => index),
      estimatedRows: Math.max(0, Number(found.estimate)),
      bytes: Number(found.bytes),
    },
  }
}

/** Digits behind the point are rounded, and spaces at the end do not count, without an error. */
function alteredBy(base: string, decimals: unknown): Pick<TableColumn, 'alters'> {
  if (base === 'real') return { alters: { numbers: 'single' } }
  if (base === 'character' || base === 'bpchar') return { alters: { trims: true } }
  return decimals === null ? {} : { alters: { decimals: Number(decimals) } }
}

const TABLE = `select c.oid::text as oid, c.reltuples::float8 as estimate, pg_total_relation_size(c.oid)::text as bytes,
  row_security_active(c.oid) as filtered
from pg_class c where c.oid = to_regclass($1) and c.relkind in ('r', 'p')`

/** The base type is without its width: a cast to `varchar(5)` would cut a key in silence. */
const COLUMNS = `select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type, format_type(a.atttypid, -1) as base,
  not a.attnotnull as nullable,
  case when a.atttypid in ('varchar'::regtype, 'bpchar'::regtype) and a.atttypmod > 4 then a.atttypmod - 4 end as width,
  case when a.atttypmod >= 4 and a.atttypid = 'numeric'::regtype then (((a.atttypmod - 4) & 2047) # 1024) - 1024
    when a.atttypmod >= 0 and a.atttypid in ('timestamp'::regtype, 'timestamptz'::regtype) then a.atttypmod end as decimals
from pg_attribute a where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped order by a.attnum`

/** An index that is still being made, or whose making was cut short, is not valid: no query uses it. */
const INDEXES = `select i.relname::text as name, x.indisunique and x.indpred is null as unique, x.indisprimary as primary,
  array(select a.attname::text from unnest(x.indkey) with ordinality as k(attnum, at)
    join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum where k.at <= x.indnkeyatts order by k.at) as columns
from pg_index x join pg_class i on i.oid = x.indexrelid where x.indrelid = $1::oid and x.indisvalid order by i.relname`
