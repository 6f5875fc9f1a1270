import type { StrongroomConfig } from '../config.ts'
import { FIELD_OVERHEAD, TEXT_PREFIX_BYTES } from '../format/field.ts'
import { paddedLength } from '../format/padding.ts'
import type { ValueType } from '../format/typed-value.ts'
import { type Column, type CompiledIndex, compileRecord } from '../records/compiled-record.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { idColumns } from '../records/schema.ts'
import type { TableColumn, TableDescription } from '../table.ts'
import { type Finding, finding, messageOf } from './finding.ts'
import { timed } from './timed.ts'

/** Whether the tables of a configuration have the columns of their records, of types and widths that hold what is written there. */
export async function examineTables(
  { records = {}, tables = {} }: StrongroomConfig,
  timeoutMs: number,
): Promise<Finding[]> {
  const findings = await Promise.all(
    Object.entries(tables).map(async ([name, table]) => {
      const schema = records[name]
      if (table === undefined || schema === undefined) return []
      const described = await timed(timeoutMs, () => table.describe())
      if ('error' in described) return [finding('table.reach', table.name, 'problem', messageOf(described.error))]
      return [
        finding('table.reach', table.name, 'ok', 'can be read', { ms: described.ms }),
        ...examineTable(schema, described.value),
      ]
    }),
  )
  return findings.flat()
}

function examineTable(schema: AnyRecord, described: TableDescription): Finding[] {
  const { name, columns, indexes } = compileRecord(schema)
  const find = (column: string) => described.columns.find((candidate) => candidate.name === column)
  return [
    examineIdentity(schema, described),
    ...[...columns.values()]
      .filter((column) => column.state !== 'plaintext')
      .map((column) => examineColumn(name, column, find(column.name))),
    ...indexes.map((index) => {
      // Rows are planned for one key, and a table cannot be asked for its largest tenant without counting all of it.
      const planned = index.global || schema.options.tenant === undefined ? index.warnAtRows : undefined
      return examineIndex(name, { ...index, warnAtRows: planned }, find(index.column), described)
    }),
  ]
}

/** An id that is not unique would let two rows share their ciphertexts; a key that is not the id makes jobs read twice. */
function examineIdentity({ name, options }: AnyRecord, { primaryKey, columns, indexes }: TableDescription): Finding {
  const ids = idColumns(options)
  const wanted = [...ids, options.tenant, options.subject].filter((column) => column !== undefined)
  const missing = wanted.filter((column) => !columns.some((candidate) => candidate.name === column))
  if (missing.length > 0) {
    return finding('table.identity', name, 'problem', `the table has no column ${missing.join(', ')}`)
  }
  const unique = [primaryKey, ...indexes.filter((index) => index.unique).map((index) => index.columns)]
  const isUnique = ids.length === 0 || unique.some((key) => key.every((column) => ids.includes(column)))
  if (isUnique)
    return finding('table.identity', name, 'ok', `rows are told apart by ${ids.join(', ') || 'nothing: unbound'}`)
  const hint = 'values are bound to the id: make it the primary key, or give it a unique index'
  return finding('table.identity', name, 'warning', `nothing keeps ${ids.join(', ')} unique`, { hint })
}

function examineColumn(record: string, column: Column, found: TableColumn | undefined): Finding {
  const subject = `${record}.${column.name}`
  const wanted = column.binary ? 'bytes' : 'text'
  const wrong = misplaced('table.column', subject, found, wanted)
  if (wrong !== undefined) return wrong
  const { width, type } = found as TableColumn
  const largest = largestValue(column)
  const least = storedSize(column, largest ?? 0)
  if (width === null) return finding('table.column', subject, 'ok', `${type} takes ciphertexts of any size`)
  const unit = column.binary ? 'bytes' : 'characters'
  if (width < least) {
    const hint = `give ${subject} a type without a limit, such as ${column.binary ? 'bytea, varbinary' : 'text'}; nothing is cut in silence, writes fail`
    return finding(
      'table.column',
      subject,
      'problem',
      `${type} is too narrow: a ciphertext takes at least ${least} ${unit}`,
      { hint },
    )
  }
  if (largest !== undefined)
    return finding('table.column', subject, 'ok', `${type} holds every value: ${least} ${unit} at most`)
  return finding(
    'table.column',
    subject,
    'ok',
    `${type} holds values of up to ${fitting(column, width).toLocaleString('en')} bytes`,
  )
}

function examineIndex(
  record: string,
  index: CompiledIndex,
  found: TableColumn | undefined,
  { indexes, estimatedRows }: TableDescription,
): Finding {
  const subject = `${record}.${index.column}`
  const wrong = misplaced('table.index', subject, found, index.binary ? 'bytes' : 'text')
  if (wrong !== undefined) return wrong
  const { width, type } = found as TableColumn
  const tag = (1 + Math.ceil(index.bits / 8)) * (index.binary ? 1 : 2)
  if (width !== null && width < tag) {
    return finding(
      'table.index',
      subject,
      'problem',
      `${type} is too narrow: a tag takes ${tag} ${index.binary ? 'bytes' : 'characters'}`,
    )
  }
  if (index.warnAtRows !== undefined && estimatedRows > index.warnAtRows) {
    const message = `the table has about ${Math.round(estimatedRows).toLocaleString('en')} rows, more than the index was planned for`
    return finding('table.index', subject, 'warning', message, {
      hint: `raise \`rows\` of ${subject}, rotate its index key and re-encrypt`,
    })
  }
  if (!indexes.some(({ columns }) => columns.includes(index.column))) {
    const hint = `create index on ${subject}: without one every search reads the whole table`
    return finding('table.index', subject, 'warning', 'no index of the database covers it', { hint })
  }
  return finding('table.index', subject, 'ok', `${type} holds its tags, and the database has an index on it`)
}

function misplaced(
  check: string,
  subject: string,
  found: TableColumn | undefined,
  wanted: 'text' | 'bytes',
): Finding | undefined {
  if (found === undefined) return finding(check, subject, 'problem', 'the table has no such column')
  if (found.holds === wanted) return undefined
  return finding(
    check,
    subject,
    'problem',
    `${found.type} holds ${found.holds === 'other' ? 'neither text nor bytes' : found.holds}, and ${wanted} is written`,
  )
}

/** Bytes of the largest payload, of the types that have one. Specification section 3.4. */
const LARGEST: Partial<Record<ValueType, number>> = { number: 8, integer: 8, boolean: 1, date: 8 }

function largestValue({ type }: Column): number | undefined {
  return LARGEST[type]
}

/** Bytes, or characters of text, that a value of `payload` bytes takes where it is stored. */
function storedSize({ binary, padding }: Column, payload: number): number {
  const plain =
    padding === 'none' ? payload + 1 : 'fixed' in padding ? padding.fixed : paddedLength(payload + 2, padding)
  const bytes = FIELD_OVERHEAD + plain
  return binary ? bytes : Math.ceil(((TEXT_PREFIX_BYTES.byteLength + bytes) * 4) / 3)
}

/** The largest payload whose ciphertext fits into `width`. */
function fitting(column: Column, width: number): number {
  const { padding } = column
  if (padding !== 'none' && 'fixed' in padding) return padding.fixed - 2
  let [fits, tooLarge] = [0, width]
  while (tooLarge - fits > 1) {
    const middle = (fits + tooLarge) >> 1
    if (storedSize(column, middle) <= width) fits = middle
    else tooLarge = middle
  }
  return fits
}
