import { InvalidInputError } from '../../src/errors.ts'
import type { MappedRecord } from '../../src/mapping/mapped-record.ts'
import { asNode, type ColumnName, type Node, nameOf, tableOf, walk } from './nodes.ts'

/** A table of a record where a query uses it. */
export interface Source {
  readonly alias: string
  readonly record: MappedRecord
}

/** The records by the names of their tables. */
export type RecordsByTable = ReadonlyMap<string, MappedRecord>

/** The encrypted tables of one query, wherever they stand in it. */
export class Sources {
  readonly all: readonly Source[]

  constructor(query: Node, records: RecordsByTable) {
    const found: Source[] = []
    const add = (table: Node, alias: string) => {
      const record = records.get(tableOf(table))
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
    const candidates = this.all.filter(({ alias }) => table === undefined || alias === table || table === 'excluded')
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
    const record = source && records.get(tableOf(source.table))
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
