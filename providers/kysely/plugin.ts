import type { KyselyPlugin, QueryId, RootOperationNode, UnknownRow } from 'kysely'
import { assertMethods, assertObject } from '../../src/bytes.ts'
import { InvalidInputError } from '../../src/errors.ts'
import { rowLists } from '../../src/mapping/column-text.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { Guard } from './guard.ts'
import { encryptInsert, insertedTable } from './insert.ts'
import { Names } from './names.ts'
import { asNode, columnOf, type Node, tableOf, walk } from './nodes.ts'
import { assertRaw, assertRawParts, mentions, textOf } from './raw-sql.ts'
import { readRows } from './result.ts'
import { type Part, type Plan, Selection } from './selection.ts'
import { type RecordsByTable, recordOf, type Source, Sources, topSources } from './sources.ts'
import { encryptUpdate } from './update.ts'

/** How the plugin stands beside others. */
export interface StrongroomPluginOptions {
  /** A plugin that renames columns, such as `new CamelCasePlugin()`: records have the names before it. Give it here, not to Kysely. */
  readonly names?: KyselyPlugin
}

/**
 * A plugin for Kysely that encrypts what queries write to the tables of records, and decrypts what they read. Queries that
 * would need the database to understand an encrypted column are refused.
 *
 * @param ciphers `room.records`, or some of them, by the names of their tables
 * @returns for `new Kysely({ plugins: [...] })` or `db.withPlugin(...)`. Writes are synchronous: they throw
 *   KeyNotResidentError for a tenant whose keys `room.unlock` has not brought into memory. Reads load the keys they need.
 * @throws InvalidInputError; queries throw it for what is refused, and DecryptionError
 */
export function strongroomPlugin(
  ciphers: Readonly<Record<string, AnyCipher>>,
  options: StrongroomPluginOptions = {},
): KyselyPlugin {
  assertObject(ciphers, 'the records')
  assertObject(options, 'the options')
  const { names } = options
  if (names !== undefined) assertMethods(names, ['transformQuery', 'transformResult'], 'names, a plugin of Kysely,')
  const records = new Map(Object.entries(ciphers).map(([table, cipher]) => [table, new MappedRecord(cipher)]))
  const plans = new WeakMap<QueryId, Plan>()
  const mapper = names && new Names(names)
  return {
    transformQuery({ node, queryId }) {
      const { query, plan } = transform(asNode(node), records)
      if (plan !== undefined) plans.set(queryId, plan)
      const root = query as unknown as RootOperationNode
      return names === undefined ? root : names.transformQuery({ node: root, queryId })
    },
    async transformResult({ result, queryId }) {
      const named = names === undefined ? result : await names.transformResult({ result, queryId })
      const plan = plans.get(queryId)
      if (plan === undefined || named.rows.length === 0) return named
      return {
        ...named,
        rows: (await readRows(named.rows, mapper === undefined ? plan : await renamed(plan, mapper))) as UnknownRow[],
      }
    },
  }
}

/** The plan with the names that results have. */
async function renamed(plan: Plan, names: Names): Promise<Plan> {
  const named = (list: Iterable<string>) => Promise.all([...list].map((name) => names.inResults(name)))
  const part = async (of: Part) => {
    const identity = await named(of.identity.values())
    return {
      ...of,
      identity: new Map([...of.identity.keys()].map((column, at) => [column, identity[at] as string])),
      hidden: new Set(await named(of.hidden)),
    }
  }
  return { ...plan, isTable: false, parts: await Promise.all(plan.parts.map(part)) }
}

function transform(query: Node, records: RecordsByTable): { query: Node; plan?: Plan } {
  if (query.kind === 'RawNode') assertRaw(query, records)
  const sources = new Sources(query, records)
  if (!/^(Select|Insert|Update|Delete|Merge)QueryNode$/.test(query.kind)) return { query }
  assertRawParts(query, sources.all, records)
  if (sources.all.length === 0) return { query }
  const top = topSources(query, records)
  const guard = new Guard(sources, records)
  if (query.kind === 'SelectQueryNode') return select(query, top, guard)
  if (query.kind === 'MergeQueryNode') {
    throw new InvalidInputError(
      `a merge with ${sources.all[0]?.record.name} is not encrypted: use insert with onConflict`,
    )
  }
  const written = write(query, top.sources, records, guard)
  const rest = guardRest(written, guard, [
    'into',
    'table',
    'columns',
    'values',
    'updates',
    'onConflict',
    'onDuplicateKey',
  ])
  if (rest.returning === undefined) return { query: rest }
  const returning = asNode(query.returning)
  const { selections, plan } = new Selection(top, guard).read(returning.selections as Node[])
  return { query: asNode({ ...rest, returning: { ...returning, selections } }), plan }
}

function write(query: Node, sources: readonly Source[], records: RecordsByTable, guard: Guard): Node {
  if (query.kind === 'InsertQueryNode') {
    const record = recordOf(records, insertedTable(query) ?? '')
    if (record !== undefined) return encryptInsert(query, record, guard)
    const { values, onConflict, onDuplicateKey } = query
    return asNode({
      ...query,
      values: guard.checked(values),
      onConflict: guard.checked(onConflict),
      onDuplicateKey: guard.checked(onDuplicateKey),
    })
  }
  if (query.kind !== 'UpdateQueryNode') return query
  const target = asNode(query.table)
  const alias = target.kind === 'TableNode' ? tableOf(target) : (target.alias as { name?: string } | undefined)?.name
  const source = sources.find((other) => other.alias === alias)
  if (source !== undefined) return encryptUpdate(query, source, guard)
  if (alias !== undefined) return { ...query, updates: guard.checked(query.updates) } as Node
  throw new InvalidInputError('an update of several tables at once is not encrypted: update one after the other')
}

function select(
  query: Node,
  top: { sources: readonly Source[]; tables: number },
  guard: Guard,
): { query: Node; plan?: Plan } {
  const where = guard.filtered(query.where)
  const rest = guardRest(query, guard, ['where', 'selections', 'from'])
  const from = guard.checked(query.from)
  const { selections, plan } = new Selection(top, guard).read((query.selections as Node[] | undefined) ?? [])
  const read = asNode({ ...rest, where, from, selections })
  if (plan.parts.length === 0 || query.explain !== undefined) return { query: read }
  assertRowsAreRows(query, plan)
  assertAliases(query, plan)
  assertPositions(query, plan)
  return { query: read, plan }
}

/** Rows that the database merges or counts are not rows of one id, and rows that it cuts off cannot be filtered. */
function assertRowsAreRows(query: Node, { parts, filters }: Plan): void {
  const table = parts[0]?.source.record.name as string
  const distinct = ((query.frontModifiers as Node[] | undefined) ?? []).some((node) => node.modifier === 'Distinct')
  if (distinct || query.distinctOn !== undefined || query.groupBy !== undefined || query.setOperations !== undefined) {
    throw new InvalidInputError(
      `encrypted columns of ${table} differ in every row, so distinct, group by and union cannot merge them`,
    )
  }
  const [searched] = filters
  if (searched === undefined) return
  const { notUnique } = searched.record
  const refuse = (what: string) => notUnique.call(searched.record, searched.index.column, what)
  if (query.limit !== undefined || query.offset !== undefined || query.fetch !== undefined || query.top !== undefined) {
    throw refuse('a limit could cut off the row that you search')
  }
  for (const node of (query.selections as Node[] | undefined) ?? []) {
    walk(node, ({ kind }) => {
      if (kind === 'AggregateFunctionNode') throw refuse('they cannot be counted by the database')
      if (kind === 'RawNode') throw refuse('SQL text beside them could count them')
      return kind !== 'SelectQueryNode'
    })
  }
}

/** The name that an encrypted column has in the result stands for it in `order by`, and in some databases in `having`. */
function assertAliases(query: Node, { parts }: Plan): void {
  for (const part of [query.orderBy, query.having]) {
    if (part === undefined) continue
    walk(asNode(part), (node) => {
      const named = columnOf(node)
      for (const { source, outputs } of parts) {
        for (const [output, field] of outputs) {
          const isNamed = named?.table === undefined && named?.column === output
          if (!isNamed && !(node.kind === 'RawNode' && mentions(textOf(node), output))) continue
          throw part === query.orderBy ? source.record.ordered(field) : source.record.compared(field)
        }
      }
      return node.kind !== 'SelectQueryNode'
    })
  }
}

/** A number in `order by` is the position of a column, which may be an encrypted one. */
function assertPositions(query: Node, { parts }: Plan): void {
  const isPosition = ({ kind, value, ...node }: Node) =>
    kind === 'RawNode'
      ? /^\s*\d+\s*$/.test(textOf({ kind, ...node } as Node))
      : kind === 'ValueNode' && typeof value === 'number'
  const items = query.orderBy === undefined ? [] : (asNode(query.orderBy).items as Node[])
  const texts: string[] = []
  walk(asNode({ kind: 'ListNode', items: query.endModifiers ?? [] }), (node) => {
    if (node.kind === 'RawNode') texts.push(textOf(node))
    return undefined
  })
  const hasPosition = texts.some((text) => rowLists(text).some((list) => list.hasPosition))
  if (!hasPosition && !items.some((item) => isPosition(asNode(item.orderBy)))) return
  throw new InvalidInputError(
    `an order by the position of a column may mean an encrypted column of ${parts[0]?.source.record.name}, which is random bytes: write the name of the column`,
  )
}

/** Everything of a query but the parts that are handled apart. */
function guardRest(query: Node, guard: Guard, apart: readonly string[]): Node {
  const skip = new Set([...apart, 'kind', 'returning'])
  const entries = Object.entries(query).map(([name, part]) => {
    const isPart = typeof part === 'object' && part !== null && !skip.has(name)
    return [name, isPart ? guard.checked(part) : part]
  })
  return asNode(Object.fromEntries(entries))
}
