import { InvalidInputError } from '../../src/errors.ts'
import type { MappedRecord } from '../../src/mapping/mapped-record.ts'
import { asNode, columnOf, mapChildren, type Node, tableOf } from './nodes.ts'
import { mentions, textOf } from './raw-sql.ts'
import { type Searched, searchedIn } from './search.ts'
import { type RecordsByTable, recordOf, type Sources } from './sources.ts'

/** Refuses encrypted columns wherever the database would have to understand them, and puts tags where a search stands. */
export class Guard {
  /** Searches whose rows must be filtered after they were decrypted. */
  readonly filters: Searched[] = []
  readonly #sources: Sources
  readonly #records: RecordsByTable

  constructor(sources: Sources, records: RecordsByTable) {
    this.#sources = sources
    this.#records = records
  }

  /** The `where` of a select, in which a search may stand whose rows are filtered. */
  filtered(where: unknown): Node | undefined {
    if (where === undefined) return undefined
    return mapChildren(asNode(where), (condition) => this.#conjunct(condition))
  }

  /** A selection that is no column. @throws InvalidInputError */
  selected(node: Node): Node {
    const given = node.kind === 'AliasNode' ? asNode(node.node) : node
    if (given.kind === 'TableNode') this.#assertNoRow(tableOf(given))
    return this.checked(node)
  }

  /** Any other part of a query. @throws InvalidInputError */
  checked<Part>(part: Part): Part {
    if (part === undefined) return part
    if (Array.isArray(part)) return part.map((item) => this.#visit(asNode(item), 'compare')) as Part
    return this.#visit(asNode(part), 'compare') as Part
  }

  #conjunct(node: Node): Node {
    if (node.kind === 'AndNode' || node.kind === 'ParensNode') return mapChildren(node, (part) => this.#conjunct(part))
    const searched = searchedIn(node)
    if (searched === undefined) return this.#visit(node, 'compare')
    if (!searched.index.unique) this.filters.push(searched)
    return withTags(node, searched)
  }

  #visit(node: Node, purpose: 'compare' | 'order'): Node {
    const searched = searchedIn(node)
    if (searched !== undefined) {
      const { column, unique } = searched.index
      if (!unique) throw searched.record.notUnique(column, 'it stands alone or under `and`, in a select')
      return withTags(node, searched)
    }
    if (this.#isNullCheck(node)) return node
    const named = columnOf(node)
    if (named !== undefined) {
      const source = this.#sources.encrypted(named)
      if (source === undefined) {
        this.#assertNoRow(named.column, named.table)
        return node
      }
      throw purpose === 'order' ? source.record.ordered(named.column) : source.record.compared(named.column)
    }
    if (node.kind === 'SelectionNode') this.#assertInnerSelection(node)
    if (node.kind === 'AggregateFunctionNode' || node.kind === 'FunctionNode') return this.#function(node)
    if (/^(Insert|Update|Delete|Merge)QueryNode$/.test(node.kind)) this.#assertInnerWrite(node)
    const next = node.kind === 'OrderByNode' ? 'order' : purpose
    const visited = mapChildren(node, (child) => this.#visit(child, next))
    if (node.kind === 'RawNode') this.#assertRaw(node)
    return visited
  }

  #isNullCheck(node: Node): boolean {
    if (node.kind !== 'BinaryOperationNode') return false
    const operator = asNode(node.operator).operator
    if (operator !== 'is' && operator !== 'is not') return false
    const named = columnOf(asNode(node.leftOperand))
    const source = named && this.#sources.encrypted(named)
    return source?.record.showsNull(named?.column as string) === true && asNode(node.rightOperand).value === null
  }

  /** `count(*)` sees rows and no columns; what looks like a table may be a whole row, or a column, to the database. */
  #function(node: Node): Node {
    const listed = ((node.aggregated ?? node.arguments) as Node[] | undefined) ?? []
    for (const argument of listed) {
      if (argument.kind !== 'TableNode') continue
      const name = tableOf(argument)
      this.#assertNoRow(name)
      const source = this.#sources.encrypted({ table: undefined, column: name })
      if (source !== undefined) throw source.record.calculated(name)
    }
    const countsRows = node.func === 'count' && listed.every(({ kind }) => kind === 'SelectionNode')
    return mapChildren(node, (child) => (countsRows && listed.includes(child) ? child : this.#visit(child, 'compare')))
  }

  /** The name of a table in the place of a value is all of its columns. */
  #assertNoRow(name: string, table?: string): void {
    const source = table === undefined ? this.#sources.all.find(({ alias }) => alias === name) : undefined
    if (source === undefined || source.record.isDeclared(name)) return
    throw new InvalidInputError(`a whole row of ${name} cannot be decrypted as one value: name its columns`)
  }

  /** SQL in the text of the application: a name that looks like an encrypted column is taken for one. */
  #assertRaw(node: Node): void {
    const text = textOf(node)
    for (const { record } of this.#sources.all) {
      const field = [...record.fields].find((name) => record.isEncrypted(name) && mentions(text, name))
      if (field !== undefined) throw rawColumn(record, field)
    }
  }

  #assertInnerSelection(node: Node): void {
    const selection = asNode(node.selection)
    const named = columnOf(selection.kind === 'AliasNode' ? asNode(selection.node) : selection)
    const inner = named && this.#sources.encrypted(named)
    if (inner !== undefined) {
      throw new InvalidInputError(
        `${inner.record.name}.${named?.column} is not decrypted where a subquery takes it: join the table, or read its rows by a query of their own`,
      )
    }
    const all = selection.kind === 'SelectAllNode' || asNode(selection.column ?? {}).kind === 'SelectAllNode'
    const [source] = this.#sources.all
    if (!all || source === undefined) return
    throw new InvalidInputError(
      `a subquery of a query on ${source.record.name} must name its columns: what it takes from encrypted ones could not be decrypted`,
    )
  }

  #assertInnerWrite(node: Node): void {
    const target = asNode(node.into ?? node.table ?? node)
    const table = target.kind === 'TableNode' ? recordOf(this.#records, tableOf(target)) : this.#sources.all[0]?.record
    if (table !== undefined)
      throw new InvalidInputError(`a write to ${table.name} inside another query is not encrypted`)
  }
}

function rawColumn(record: MappedRecord, field: string): InvalidInputError {
  return new InvalidInputError(
    `SQL text names ${record.name}.${field}, which is encrypted: write the column outside of the text, or run the query on \`db.withoutPlugins()\` and decrypt its rows with decryptRows()`,
  )
}

function withTags(node: Node, searched: Searched): Node {
  return asNode({ ...node, rightOperand: { kind: 'PrimitiveValueListNode', values: searched.tags() } })
}
