import { InvalidInputError } from '../../src/errors.ts'
import type { MappedRecord } from '../../src/mapping/mapped-record.ts'
import type { Guard } from './guard.ts'
import { asNode, column, columnOf, type Node, value } from './nodes.ts'
import type { Source } from './sources.ts'

/** An update with its values encrypted for the one row that it is about. @throws InvalidInputError, KeyNotResidentError */
export function encryptUpdate(query: Node, { record, alias }: Source, guard: Guard): Node {
  const updates = (query.updates as Node[] | undefined) ?? []
  const names = changedColumns(updates, record)
  const changes: Record<string, unknown> = {}
  const plain: Node[] = []
  for (const [at, node] of updates.entries()) {
    const name = names[at] as string
    const given = asNode(node.value)
    if (!record.fields.has(name)) plain.push({ ...node, value: guard.checked(given) } as Node)
    else if (given.kind === 'ValueNode') changes[name] = given.value
    else
      throw new InvalidInputError(
        `${record.name}.${name} must be a value, not an expression: the database cannot encrypt it`,
      )
  }
  if (Object.keys(changes).length === 0) return asNode({ ...query, updates: plain })
  const identity = identityIn(query.where, record, alias)
  const encrypted = record.cipher.encrypt({ ...identity, ...changes })
  const written = Object.entries(encrypted).filter(([name]) => !record.identity.includes(name))
  const set = written.map(([name, of]) => asNode({ kind: 'ColumnUpdateNode', column: column(name), value: value(of) }))
  return asNode({ ...query, updates: [...plain, ...set] })
}

/** The columns that a list of changes names, checked. @throws InvalidInputError */
export function changedColumns(updates: readonly Node[], record: MappedRecord): string[] {
  const names = updates.map((node) => columnOf(asNode(node.column))?.column)
  if (!names.every((name) => name !== undefined)) {
    throw new InvalidInputError(
      `an update of ${record.name} names its columns: SQL text in the place of one could be an encrypted column`,
    )
  }
  record.assertChanges(names)
  return names
}

/** The row that `where` is about: each identity column compared by `=` with a value, under nothing but `and`. @throws InvalidInputError */
function identityIn(where: unknown, record: MappedRecord, alias: string): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  const read = (node: Node): void => {
    if (node.kind === 'AndNode') for (const side of [node.left, node.right]) read(asNode(side))
    if (node.kind === 'ParensNode') read(asNode(node.node))
    if (node.kind !== 'BinaryOperationNode' || asNode(node.operator).operator !== '=') return
    const named = columnOf(asNode(node.leftOperand))
    const right = asNode(node.rightOperand)
    if (named === undefined || right.kind !== 'ValueNode') return
    if (named.table !== undefined && named.table !== alias) return
    if (record.identity.includes(named.column)) found[named.column] ??= right.value
  }
  if (where !== undefined) read(asNode(asNode(where).where))
  const missing = record.identity.filter((name) => found[name] === undefined || found[name] === null)
  if (missing.length > 0) throw record.unknownRow(missing)
  return found
}
