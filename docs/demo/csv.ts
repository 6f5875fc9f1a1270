import { readFile } from 'node:fs/promises'
import { parse } from 'csv-parse/sync'
import { type DataRow, type Dataset, textColumn } from './dataset.ts'

const MAX_COLUMNS = 50

/** Your own table: every column but `id` and `tenant` is encrypted as text. Both are made up when they are missing. */
export async function csv(path: string): Promise<Dataset> {
  const records: Record<string, string>[] = parse(await readFile(path, 'utf8'), {
    columns: (header: string[]) => header.map(columnName),
    bom: true,
    skip_empty_lines: true,
    trim: true,
  })
  const [first] = records
  if (first === undefined) throw new Error(`${path} has no rows`)
  const names = Object.keys(first).filter((name) => name !== 'id' && name !== 'tenant')
  if (names.length === 0 || names.length > MAX_COLUMNS)
    throw new Error(`${path} must have 1 to ${MAX_COLUMNS} columns to encrypt`)
  const search = names.find((name) => first[name]?.includes('@')) ?? (names[0] as string)
  const rows = records.map((record, at): DataRow => {
    return { ...record, id: record.id || String(at + 1), tenant: record.tenant || 'everybody' }
  })
  if (new Set(rows.map((row) => row.id)).size < rows.length) throw new Error(`${path} has an id twice`)
  const planned = Math.max(rows.length, 16)
  const transform = (name: string) => (name === search && first[name]?.includes('@') ? 'email' : 'exact')
  return {
    title: `${rows.length.toLocaleString('en')} rows of ${path}`,
    columns: names.map((name) => textColumn(name, planned, transform(name))),
    rows,
    search,
  }
}

function columnName(header: string): string {
  return (
    header
      .normalize('NFKD')
      .replace(/[^A-Za-z0-9_]+/g, '_')
      .slice(0, 40)
      .toLowerCase() || 'column'
  )
}
