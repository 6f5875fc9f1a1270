import { InvalidInputError } from '../errors.ts'
import type { HeadQuery, RowChange, TableColumn, TableDescription, TableRow } from '../table.ts'

/** A table as messages name it, and as the database declares it. */
export interface DescribedTable {
  readonly name: { readonly text: string }
  readonly description: TableDescription
}

const MAX_PAGE = 10_000
const MAX_HEAD = 64

/** @throws InvalidInputError */
export function assertPageLimit(limit: number): void {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new InvalidInputError('limit must be a whole number from 1 to 10,000')
  }
}

/** The column whose heads are counted, once the query fits it. @throws InvalidInputError */
export function headColumn(known: DescribedTable, { column, prefix, length }: HeadQuery): TableColumn {
  const found = columnOf(known, column)
  const { holds } = found
  if (holds === 'other') throw new InvalidInputError(`${known.name.text}.${column} holds neither text nor bytes`)
  if (typeof prefix === 'string' ? holds !== 'text' : holds !== 'bytes') {
    throw new InvalidInputError(`${known.name.text}.${column} holds ${holds}: the prefix must be of the same kind`)
  }
  if (!Number.isSafeInteger(length) || length < 1 || length > MAX_HEAD) {
    throw new InvalidInputError('length must be a whole number from 1 to 64')
  }
  return found
}

/** A column of the table. @throws InvalidInputError when it has none of this name */
export function columnOf({ name, description }: DescribedTable, column: string): TableColumn {
  const found = description.columns.find((candidate) => candidate.name === column)
  if (found === undefined) throw new InvalidInputError(`table ${name.text} has no column ${column}`)
  return found
}

/** A column whose cells are compared as they are. @throws InvalidInputError */
export function comparedColumn(known: DescribedTable, column: string): TableColumn {
  const found = columnOf(known, column)
  if (found.holds === 'other') {
    throw new InvalidInputError(`${known.name.text}.${column} is compared as text: use expectedTexts`)
  }
  return found
}

/** The rows of a page that have their keys under `keys`. */
export function splitRows(rows: readonly Readonly<Record<string, unknown>>[], keys: readonly string[]): TableRow[] {
  const columns = Object.keys(rows[0] ?? {}).filter((column) => !keys.includes(column))
  return rows.map((row) => {
    const values: Record<string, unknown> = {}
    for (const column of columns) values[column] = row[column]
    return { key: keys.map((alias) => String(row[alias])), values }
  })
}

/** Changes that compare and set the same columns together, with their places in the list. @throws InvalidInputError */
export function groupChanges(changes: readonly RowChange[]): { change: RowChange; at: number }[][] {
  const groups = new Map<string, { change: RowChange; at: number }[]>()
  let group: { change: RowChange; at: number }[] = []
  for (const [at, change] of changes.entries()) {
    // Mostly that of the change before.
    if (group[0] === undefined || !isAlike(change, group[0].change)) {
      const { expected, expectedTexts = {}, set } = change
      if (Object.keys(set).length === 0) throw new InvalidInputError('a change sets no column')
      const shape = JSON.stringify([expected, expectedTexts, set].map((columns) => Object.keys(columns).sort()))
      group = groups.get(shape) ?? []
      if (group.length === 0) groups.set(shape, group)
    }
    group.push({ change, at })
  }
  return [...groups.values()]
}

function isAlike(a: RowChange, b: RowChange): boolean {
  return (
    hasSameNames(a.expected, b.expected) &&
    hasSameNames(a.set, b.set) &&
    (a.expectedTexts === b.expectedTexts || hasSameNames(a.expectedTexts ?? {}, b.expectedTexts ?? {}))
  )
}

function hasSameNames(a: object, b: object): boolean {
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  for (const name of names) if (!Object.hasOwn(b, name)) return false
  return true
}
