import { InvalidInputError } from '../../src/errors.ts'
import type { AnyRow, MappedRecord } from '../../src/mapping/mapped-record.ts'
import type { Guard } from './guard.ts'
import { asNode, column, columnOf, type Node, nameOf, reference, tableOf, value } from './nodes.ts'
import { changedColumns } from './update.ts'

/** An insert with every row encrypted. @throws InvalidInputError, KeyNotResidentError */
export function encryptInsert(query: Node, record: MappedRecord, guard: Guard): Node {
  const action = (query.orAction as { action?: string } | undefined)?.action
  if (action === 'ignore') {
    throw new InvalidInputError(
      `an insert into ${record.name} that ignores errors may leave a ciphertext cut off: use onConflict(…).doNothing(), or catch the error`,
    )
  }
  if (query.replace === true || query.orAction !== undefined) {
    throw new InvalidInputError(
      `a replacing insert into ${record.name} deletes whatever row is in its way, of any tenant: use onConflict, or update and then insert`,
    )
  }
  const list = query.values === undefined ? undefined : asNode(query.values)
  if (list?.kind !== 'ValuesNode') {
    throw new InvalidInputError(
      `rows for ${record.name} must be given as values: what the database makes is not encrypted`,
    )
  }
  const columns = ((query.columns as Node[] | undefined) ?? []).map((node) => nameOf(node.column))
  const items = (list.values as Node[]).map((item) => readItem(item, columns, record, guard))
  const encrypted = items.map(({ row }) => record.cipher.encrypt(record.complete(row)))
  const found = new Set(columns)
  for (const row of encrypted) for (const name in row) found.add(name)
  const names = [...found]
  const values = items.map(({ nodes }, at) => valuesNode(names, encrypted[at] as AnyRow, nodes))
  return asNode({
    ...query,
    columns: names.map(column),
    values: { kind: 'ValuesNode', values },
    onConflict:
      query.onConflict &&
      encryptConflict(
        asNode(query.onConflict),
        record,
        guard,
        items.map(({ row }) => row),
      ),
    onDuplicateKey: query.onDuplicateKey && checkDuplicate(asNode(query.onDuplicateKey), record, guard),
  })
}

interface Item {
  readonly row: AnyRow
  readonly nodes: ReadonlyMap<string, Node>
}

const NO_NODES: Item['nodes'] = new Map()

/** The values of a row, and expressions in columns that stay as they are. */
function readItem(item: Node, columns: readonly string[], record: MappedRecord, guard: Guard): Item {
  const row: Record<string, unknown> = {}
  const values = item.values as readonly unknown[]
  if (item.kind === 'PrimitiveValueListNode') {
    for (let at = 0; at < columns.length; at++) row[columns[at] as string] = values[at]
    return { row, nodes: NO_NODES }
  }
  const nodes = new Map<string, Node>()
  for (const [at, name] of columns.entries()) {
    const node = asNode(values[at])
    if (node.kind === 'ValueNode') row[name] = node.value
    else if (node.kind !== 'DefaultInsertValueNode') nodes.set(name, plainExpression(node, name, record, guard))
  }
  return { row, nodes }
}

/** A row as Kysely makes it: a list of bare values, unless there are others. */
function valuesNode(names: readonly string[], row: AnyRow, nodes: Item['nodes']): Node {
  if (nodes.size === 0 && names.every((name) => Object.hasOwn(row, name))) {
    return asNode({ kind: 'PrimitiveValueListNode', values: names.map((name) => row[name]) })
  }
  const cell = (name: string) =>
    nodes.get(name) ?? (Object.hasOwn(row, name) ? value(row[name]) : asNode({ kind: 'DefaultInsertValueNode' }))
  return asNode({ kind: 'ValueListNode', values: names.map(cell) })
}

/** An expression that the database evaluates: never for what is encrypted or what values are bound to. */
function plainExpression(node: Node, name: string, record: MappedRecord, guard: Guard): Node {
  if (!record.isDeclared(name)) throw record.undeclared(name)
  if (record.indexColumns.has(name)) throw record.writtenIndex(name)
  if (record.fields.has(name) || record.identity.includes(name)) {
    throw new InvalidInputError(
      `${record.name}.${name} must be a value, not an expression: the database cannot encrypt it`,
    )
  }
  return guard.checked(node)
}

function encryptConflict(conflict: Node, record: MappedRecord, guard: Guard, rows: readonly AnyRow[]): Node {
  const updates = conflict.updates as Node[] | undefined
  if (updates === undefined) return guard.checked(conflict)
  const names = changedColumns(updates, record)
  const where = conflict.updateWhere === undefined ? undefined : guard.checked(asNode(conflict.updateWhere))
  if (!names.some((name) => record.fields.has(name))) {
    return asNode({ ...conflict, updates: guard.checked(updates), updateWhere: where })
  }
  assertConflictOnId(conflict, record)
  const changed = updates.flatMap((node, at) => changeOnConflict(node, names[at] as string, record, guard, rows))
  const given = names.filter((name) => record.fields.has(name))
  const indexes = [...record.indexColumns].filter((name) => {
    const fields = record.search(name).fields.filter((field) => given.includes(field))
    if (fields.length > 0 && fields.length < record.search(name).fields.length) {
      throw new InvalidInputError(
        `index ${name} covers ${record.search(name).fields.join(', ')}: update all of them or none`,
      )
    }
    return fields.length > 0
  })
  return asNode({
    ...conflict,
    updates: [...changed, ...indexes.map((name) => update(name, reference('excluded', name)))],
    updateWhere: sameOwner(where, record),
  })
}

function changeOnConflict(
  node: Node,
  name: string,
  record: MappedRecord,
  guard: Guard,
  rows: readonly AnyRow[],
): Node[] {
  if (!record.fields.has(name)) return [{ ...node, value: guard.checked(asNode(node.value)) } as Node]
  const given = asNode(node.value)
  const named = columnOf(given)
  if (named?.table === 'excluded' && named.column === name) return [update(name, given)]
  // A literal that is also the row's own value is the same as `excluded`.
  if (given.kind === 'ValueNode' && rows.length === 1 && Object.is(rows[0]?.[name], given.value)) {
    return [update(name, reference('excluded', name))]
  }
  throw new InvalidInputError(
    `on conflict, ${record.name}.${name} takes the value of the new row: eb.ref('excluded.${name}')`,
  )
}

/** Values are bound to the id of the new row, so the row in its way must be that of the same id. */
function assertConflictOnId(conflict: Node, record: MappedRecord): void {
  const columns = ((conflict.columns as Node[] | undefined) ?? []).map((node) => nameOf(node.column))
  const allowed = [...record.ids, ...record.identity]
  const isId = record.ids.every((id) => columns.includes(id)) && columns.every((name) => allowed.includes(name))
  if (isId && columns.length > 0) return
  throw new InvalidInputError(
    `on conflict, encrypted columns of ${record.name} can be updated only by a conflict on ${record.ids.join(', ') || 'the id'}: values are bound to the id of their row`,
  )
}

/** Adds that the row in the way has the same tenant and subject; otherwise it would be left undecryptable. */
function sameOwner(where: Node | undefined, record: MappedRecord): Node | undefined {
  const owners = record.identity.filter((name) => !record.ids.includes(name))
  const conditions = owners.map((name) =>
    asNode({
      kind: 'BinaryOperationNode',
      leftOperand: reference(record.name, name),
      operator: { kind: 'OperatorNode', operator: '=' },
      rightOperand: reference('excluded', name),
    }),
  )
  const all = where === undefined ? conditions : [asNode({ kind: 'ParensNode', node: where.where }), ...conditions]
  if (all.length === 0) return undefined
  return asNode({ kind: 'WhereNode', where: all.reduce((left, right) => asNode({ kind: 'AndNode', left, right })) })
}

function checkDuplicate(duplicate: Node, record: MappedRecord, guard: Guard): Node {
  const updates = duplicate.updates as Node[]
  const names = changedColumns(updates, record)
  const field = names.find((name) => record.fields.has(name))
  if (field === undefined) return asNode({ ...duplicate, updates: guard.checked(updates) })
  throw new InvalidInputError(
    `on duplicate key, ${record.name}.${field} cannot be updated: the row in the way may have another id, to which the value would not be bound. Update, and insert when no row was changed, in one transaction`,
  )
}

function update(name: string, of: Node): Node {
  return asNode({ kind: 'ColumnUpdateNode', column: column(name), value: of })
}

/** The table of an insert. */
export function insertedTable(query: Node): string | undefined {
  return query.into === undefined ? undefined : tableOf(asNode(query.into))
}
