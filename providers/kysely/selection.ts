import { InvalidInputError } from '../../src/errors.ts'
import type { Guard } from './guard.ts'
import { asNode, column, columnOf, identifier, type Node, nameOf, reference, tableOf } from './nodes.ts'
import type { Searched } from './search.ts'
import type { Source } from './sources.ts'

/** What comes of one table in the rows of a result. */
export interface Part {
  readonly source: Source
  /** Names in the result by fields; a field may be there under several names. */
  readonly outputs: ReadonlyMap<string, string>
  /** Names in the result of the identity columns, by columns. */
  readonly identity: ReadonlyMap<string, string>
  /** Names in the result that the application does not get. */
  readonly hidden: ReadonlySet<string>
}

/** How the rows of a result become those that the application gets. */
export interface Plan {
  readonly parts: readonly Part[]
  /** Whether the rows of the result are those of its one part, with all columns of the table under their own names. */
  readonly isTable: boolean
  readonly filters: readonly Searched[]
}

/** Finds the encrypted columns in a list of selections, and adds the columns without which they cannot be decrypted. */
export class Selection {
  readonly #sources: readonly Source[]
  readonly #tables: number
  readonly #guard: Guard
  readonly #outputs = new Map<Source, Map<string, string>>()
  readonly #all = new Set<Source>()
  /** Names in the result of what is not encrypted. */
  readonly #others = new Set<string>()

  constructor(top: { sources: readonly Source[]; tables: number }, guard: Guard) {
    this.#sources = top.sources
    this.#tables = top.tables
    this.#guard = guard
  }

  /** @throws InvalidInputError when it is not clear which column is which */
  read(selections: readonly Node[]): { selections: Node[]; plan: Plan } {
    const kept = selections.map((node) => this.#selection(node))
    const added: Node[] = []
    const isTable = this.#tables === 1 && this.#all.size === 1 && selections.length === 1
    const parts = this.#sources.flatMap((source) => {
      const part = isTable ? this.#whole(source) : this.#part(source, added)
      return part === undefined ? [] : [part]
    })
    for (const { record, name } of this.#guard.filters) {
      if (!parts.some(({ source }) => source.record.name === record.name)) throw unread(name)
    }
    return { selections: [...kept, ...added], plan: { parts, isTable, filters: this.#guard.filters } }
  }

  #selection(node: Node): Node {
    const selected = asNode(node.selection)
    const all = this.#allOf(selected)
    if (all !== undefined) {
      for (const source of all) this.#takeAll(source)
      return node
    }
    const aliased = selected.kind === 'AliasNode'
    const named = columnOf(aliased ? asNode(selected.node) : selected)
    const source = named && this.#sourceOf(named.table, named.column)
    const output = aliased ? nameOf(selected.alias) : named?.column
    if (named !== undefined && source !== undefined) {
      this.#take(source, output as string, named.column)
      return node
    }
    if (output !== undefined) this.#others.add(output)
    for (const taken of this.#outputs.values()) if (output !== undefined && taken.has(output)) throw twice(output)
    return { ...node, selection: this.#guard.selected(selected) } as Node
  }

  /** The sources of `select *`; undefined when it is another selection. */
  #allOf(node: Node): readonly Source[] | undefined {
    if (node.kind === 'SelectAllNode') {
      if (this.#sources.length > 0 && this.#tables > 1) {
        throw new InvalidInputError(
          `select * from several tables gives columns of one name for each other: say selectAll('${this.#sources[0]?.alias}')`,
        )
      }
      return this.#sources
    }
    if (node.kind !== 'ReferenceNode' || asNode(node.column).kind !== 'SelectAllNode') return undefined
    return this.#sources.filter(({ alias }) => alias === tableOf(asNode(node.table)))
  }

  #sourceOf(table: string | undefined, name: string): Source | undefined {
    const found = this.#sources.filter(
      ({ alias, record }) => (table === undefined || alias === table) && record.isEncrypted(name),
    )
    if (found.length > 1) throw new InvalidInputError(`column ${name} is in several tables: write its table before it`)
    return found[0]
  }

  #takeAll(source: Source): void {
    this.#all.add(source)
    for (const field of source.record.fields) this.#take(source, field, field)
  }

  #take(source: Source, output: string, field: string): void {
    const outputs = this.#outputs.get(source) ?? new Map<string, string>()
    if (this.#others.has(output) || (outputs.has(output) && outputs.get(output) !== field)) throw twice(output)
    for (const [other, taken] of this.#outputs) {
      if (other !== source && taken.has(output))
        throw new InvalidInputError(`two tables give a column ${output}: give one of them an alias`)
    }
    this.#outputs.set(source, outputs.set(output, field))
  }

  /** A table that is read with all of its columns, its identity among them. */
  #whole(source: Source): Part {
    const { record } = source
    const outputs = new Map(this.#outputs.get(source))
    const identity = new Map(record.identity.map((name) => [name, name]))
    return { source, outputs, identity, hidden: record.indexColumns }
  }

  #part(source: Source, added: Node[]): Part | undefined {
    const outputs = new Map(this.#outputs.get(source))
    const filters = this.#guard.filters.filter(({ record }) => record.name === source.record.name)
    if (outputs.size === 0 && filters.length === 0) return undefined
    const hidden = new Set<string>(this.#all.has(source) ? source.record.indexColumns : [])
    const add = (name: string) => {
      const output = hiddenName(added.length)
      const from = this.#tables > 1 ? reference(source.alias, name) : column(name)
      const alias = asNode({ kind: 'AliasNode', node: from, alias: identifier(output) })
      added.push(asNode({ kind: 'SelectionNode', selection: alias }))
      hidden.add(output)
      return output
    }
    const identity = new Map(source.record.identity.map((name) => [name, add(name)]))
    for (const field of new Set(filters.flatMap(({ index }) => index.fields))) outputs.set(add(field), field)
    return { source, outputs, identity, hidden }
  }
}

/** A name of letters alone, which is the same in both directions for whatever plugin changes names. */
function hiddenName(at: number): string {
  return `srhidden${[...String(at)].map((digit) => 'abcdefghij'[Number(digit)]).join('')}`
}

function unread(name: string): InvalidInputError {
  return new InvalidInputError(`a search by ${name} belongs to a table that this query does not read`)
}

function twice(output: string): InvalidInputError {
  return new InvalidInputError(`two columns are called ${output}: give one of them an alias`)
}
