import { HEADER_LENGTH, keyIdOfHead, TEXT_HEAD_LENGTH } from '../format/field.ts'
import type { KeyScope } from '../keys/scope.ts'
import { scopesWithin } from '../keys/shred-keys.ts'
import { compileRecord } from '../records/compiled-record.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { RowIdentifier } from '../records/row-identity.ts'
import type { RowKey } from '../row-key.ts'
import type { RowChange, Table, TableRow } from '../table.ts'

/** What was done to the rows of a scope in one table. */
export interface ClearedTable {
  readonly record: string
  /** What messages call the table. */
  readonly table: string
  /** Rows of the scope. */
  readonly rows: number
  /** Of them, rows with a value that is not under a shredded key: it is plaintext, or under the key of the tenant. */
  readonly readable: number
  /** Rows whose index columns were emptied now. */
  readonly cleared: number
  /** Rows that others kept filling again until it gave up; 0 when a whole pass found none. */
  readonly left: number
  /** Index columns that cannot be emptied, because the database wants a value there. */
  readonly kept: readonly string[]
}

/** How to clear. */
export interface ClearOptions {
  /** The keys that are gone. */
  readonly shredded: ReadonlySet<string>
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
}

const BATCH = 200
const MAX_PASSES = 20

/** Whether rows of this record can be of a scope: it must know the tenant, and the subject, that the scope names. */
export function hasRowsOf({ options }: AnyRecord, { tenant, subject, bucket }: KeyScope): boolean {
  if (bucket !== undefined) return false
  if (tenant === undefined)
    return subject !== undefined && options.subject !== undefined && options.tenant === undefined
  return options.tenant !== undefined && (subject === undefined || options.subject !== undefined)
}

/**
 * Empties the index columns of the rows of a scope, by compare-and-set, until a whole pass finds none that is filled. It
 * needs no checkpoint: killed at any moment and started again, it finds what is left.
 *
 * @throws TableError (`ERR_TABLE`)
 */
export async function clearTags(
  app: string,
  schema: AnyRecord,
  table: Table,
  scope: KeyScope,
  { shredded, dryRun = false, signal }: ClearOptions,
): Promise<ClearedTable> {
  const { columns } = await table.describe()
  const compiled = compileRecord(schema)
  const tags = compiled.indexes.map(({ column }) => column)
  const fields = [...compiled.columns.keys()]
  const kept = tags.filter((tag) => columns.find(({ name }) => name === tag)?.nullable === false)
  const emptied = tags.filter((tag) => !kept.includes(tag))
  const isBytes = (column: string) => columns.find(({ name }) => name === column)?.holds === 'bytes'
  const equals = equalsOf(schema, scope, isBytes)
  const { exact, prefix } = scopesWithin(scope, app)
  const identifier = new RowIdentifier(app, schema.name, schema.options)
  const isOfScope = ({ values }: TableRow) => {
    const own = scopeOf(identifier, values)
    return own === exact || own?.startsWith(prefix) === true
  }
  let cleared = 0
  for (let pass = 1; ; pass++) {
    let rows = 0
    let filled = 0
    let readable = 0
    for (let after: RowKey | undefined; ; ) {
      signal?.throwIfAborted()
      const query = {
        columns: [...new Set([...identifier.columns, ...fields, ...tags])],
        equals,
        limit: BATCH,
        ...(after && { after }),
      }
      const page = await table.page(query)
      const own = page.filter(isOfScope)
      rows += own.length
      readable += own.filter(({ values }) => fields.some((field) => isReadable(values[field], shredded))).length
      const changes = own.flatMap((row) => emptying(row, emptied))
      filled += changes.length
      if (!dryRun && changes.length > 0) cleared += (await table.write(changes)).filter(Boolean).length
      after = page.at(-1)?.key
      if (page.length < BATCH) break
    }
    if (filled > 0 && !dryRun && pass < MAX_PASSES) continue
    const counts = { rows, readable, cleared: dryRun ? filled : cleared, left: dryRun ? 0 : filled }
    return { record: schema.name, table: table.name, ...counts, kept }
  }
}

/** Whether a stored value can be read without the shredded keys. */
function isReadable(value: unknown, shredded: ReadonlySet<string>): boolean {
  if (value === null) return false
  const head =
    typeof value === 'string'
      ? value.slice(0, TEXT_HEAD_LENGTH)
      : value instanceof Uint8Array
        ? value.subarray(0, HEADER_LENGTH)
        : ''
  return !shredded.has(keyIdOfHead(head) ?? '')
}

function emptying({ key, values }: TableRow, tags: readonly string[]): RowChange[] {
  const filled = tags.filter((tag) => values[tag] !== null)
  if (filled.length === 0) return []
  const pick = (value: (tag: string) => unknown) => Object.fromEntries(filled.map((tag) => [tag, value(tag)]))
  return [{ key, expected: pick((tag) => values[tag]), set: pick(() => null) }]
}

/** Lets the database find the rows. Bytes have another text in a scope than in the database. */
function equalsOf(
  { options }: AnyRecord,
  { tenant, subject }: KeyScope,
  isBytes: (column: string) => boolean,
): Record<string, string> {
  const wanted = [
    [options.tenant, tenant],
    [options.subject, subject],
  ] as const
  return Object.fromEntries(
    wanted.flatMap(([column, value]) =>
      column === undefined || value === undefined || isBytes(column) ? [] : [[column, value]],
    ),
  )
}

/** @returns undefined for a row without a tenant or subject, which is nobody's */
function scopeOf(identifier: RowIdentifier, values: TableRow['values']): string | undefined {
  try {
    return identifier.identify(values).scope
  } catch {
    return undefined
  }
}
