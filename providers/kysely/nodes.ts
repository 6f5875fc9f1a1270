import type { OperationNode } from 'kysely'

/** A node of a query, of whatever kind: an object with a `kind` that is never changed. */
export type Node = OperationNode & { readonly [property: string]: unknown }

/** A column as a query names it. */
export interface ColumnName {
  readonly table: string | undefined
  readonly column: string
}

/** Kinds whose properties are values of the application, which may look like anything. */
const VALUES = new Set([
  'ValueNode',
  'PrimitiveValueListNode',
  'IdentifierNode',
  'OperatorNode',
  'DefaultInsertValueNode',
])

export function asNode(value: unknown): Node {
  return value as Node
}

/** The node with every child replaced by what `visit` makes of it; the same object when nothing changed. */
export function mapChildren(node: Node, visit: (child: Node) => Node): Node {
  if (VALUES.has(node.kind)) return node
  let changed: Record<string, unknown> | undefined
  for (const [name, value] of Object.entries(node)) {
    const mapped = mapValue(value, visit)
    if (mapped === value) continue
    changed ??= { ...node }
    changed[name] = mapped
  }
  return changed === undefined ? node : (Object.freeze(changed) as Node)
}

/** Calls `visit` for a node and everything below it, until it returns false. */
export function walk(node: Node, visit: (node: Node) => boolean | undefined): void {
  if (visit(node) === false) return
  mapChildren(node, (child) => {
    walk(child, visit)
    return child
  })
}

/** The column that a node is, or undefined. */
export function columnOf(node: Node): ColumnName | undefined {
  if (node.kind === 'ColumnNode') return { table: undefined, column: nameOf(node.column) }
  if (node.kind !== 'ReferenceNode') return undefined
  const column = asNode(node.column)
  if (column.kind !== 'ColumnNode') return undefined
  return { table: node.table === undefined ? undefined : tableOf(asNode(node.table)), column: nameOf(column.column) }
}

/** The name of a table without its schema. */
export function tableOf(node: Node): string {
  return nameOf(asNode(node.table).identifier)
}

/** The name in an identifier. */
export function nameOf(node: unknown): string {
  return (node as { name: string }).name
}

export const identifier = (name: string): Node => asNode({ kind: 'IdentifierNode', name })
export const column = (name: string): Node => asNode({ kind: 'ColumnNode', column: identifier(name) })
export const value = (of: unknown): Node => asNode({ kind: 'ValueNode', value: of })

export function reference(table: string | undefined, name: string): Node {
  if (table === undefined) return asNode({ kind: 'ReferenceNode', column: column(name) })
  const named = { kind: 'TableNode', table: { kind: 'SchemableIdentifierNode', identifier: identifier(table) } }
  return asNode({ kind: 'ReferenceNode', table: named, column: column(name) })
}

function mapValue(value: unknown, visit: (child: Node) => Node): unknown {
  if (isNode(value)) return visit(value)
  if (!Array.isArray(value) || !value.every(isNode)) return value
  const mapped = value.map(visit)
  return mapped.every((item, at) => item === value[at]) ? value : Object.freeze(mapped)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).kind === 'string'
}
