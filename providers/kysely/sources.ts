import { InvalidInputError } from '../../src/errors.ts'
import type { MappedRecord } from '../../src/mapping/mapped-record.ts'
import { asNode, type ColumnName, type Node, nameOf, tableOf, walk } from './nodes.ts'

/** A table of a record where a query uses it. */
export interface Source {
  readonly alias: string
  readonly record: MappedRecord
}

/** What databases call the row that a write makes, or finds. */
const WRITTEN_ROWS: ReadonlySet<string> = new Set(['excluded', 'inserted', 'deleted', 'new', 'old'])

/** The records by the names of their tables. */
export type RecordsByTable = ReadonlyMap<string, MappedRecord>

/**
 * The record of a table. Some databases take a name in other letters for the same, so it is refused.
 *
 * @throws InvalidInputError
 */
export function recordOf(records: RecordsByTable, table: string): MappedRecord | undefined {
  const exact = records.get(table)
  if (exact !== undefined) return exact
  const same = [...records.keys()].find((name) => name.toLowerCase() === table.toLowerCase())
  if (same === undefined) return undefined
  throw new InvalidInputError(`table ${table} may be ${same}, which is encrypted: write its name as the record has it`)
}

/** The encrypted tables of one query, wherever they stand in it. */
export class Sources {
  readonly all: readonly Source[]
  readonly #aliases = new Set<string>()

  constructor(query: Node, records: RecordsByTable) {
    const found: Source[] = []
    const add = (table: Node, alias: string) => {
      const record = recordOf(records, tableOf(table))
      this.#aliases.add(alias)
      if (record !== undefined) found.push({ alias, record })
    }
    walk(query, (node) => {
      const source = aliased(node)
      if (source !== undefined) add(source.table, source.alias)
      // A reference names an alias, which may be the name of another table.
      return node.kind !== 'ReferenceNode' && source === undefined
    })
    this.all = found
  }

  /** The source whose encrypted column this may be; undefined when it is none. */
  encrypted({ table, column }: ColumnName): Source | undefined {
    const isRow = table === undefined || (WRITTEN_ROWS.has(table) && !this.#aliases.has(table))
    const candidates = this.all.filter(({ alias }) => isRow || alias === table)
    return candidates.find(({ record }) => record.isEncrypted(column))
  }
}

/** The tables that a query reads or writes itself, not in a subquery; `others` says whether there are any besides. */
export function topSources(query: Node, records: RecordsByTable): { sources: Source[]; tables: number } {
  const listed = [
    query.table,
    query.into,
    ...froms(query.from),
    ...froms(query.using),
    ...((query.joins as Node[] | undefined) ?? []).map((join) => join.table),
  ].filter((node) => node !== undefined)
  const sources = listed.flatMap((node) => {
    const source = aliased(asNode(node))
    const record = source && recordOf(records, tableOf(source.table))
    return record === undefined ? [] : [{ alias: source?.alias as string, record }]
  })
  const aliases = new Set(sources.map(({ alias }) => alias))
  if (aliases.size < sources.length) throw new InvalidInputError('a table that is joined with itself needs an alias')
  return { sources, tables: listed.length }
}

/** The table and the alias that a node is, when it is a table. */
function aliased(node: Node): { table: Node; alias: string } | undefined {
  if (node.kind === 'TableNode') return { table: node, alias: tableOf(node) }
  if (node.kind !== 'AliasNode' || asNode(node.node).kind !== 'TableNode') return undefined
  return { table: asNode(node.node), alias: nameOf(node.alias) }
}

function froms(node: unknown): Node[] {
  if (node === undefined) return []
  const { froms, tables, kind } = node as { froms?: Node[]; tables?: Node[]; kind: string }
  return froms ?? tables ?? (kind === 'FromNode' ? [] : [asNode(node)])
}
