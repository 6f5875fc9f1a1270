import type { Expression, SqlBool } from 'kysely'
import { assertObject } from '../../src/bytes.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import type { AnyRecord, Searchable, SearchedValue, SearchOptions } from '../../src/records/record-types.ts'
import { asNode, type Node, reference } from './nodes.ts'

/** Stands in a query where the tags of a search will be, so that a query without the plugin cannot run. */
export class Searched {
  readonly record: MappedRecord
  readonly name: string
  readonly #value: unknown
  readonly #tenant: unknown

  constructor(record: MappedRecord, name: string, value: unknown, tenant: unknown) {
    this.record = record
    this.name = name
    this.#value = value
    this.#tenant = tenant
  }

  get index() {
    return this.record.search(this.name)
  }

  /** @throws KeyNotResidentError */
  tags(): unknown[] {
    return this.record.cipher.index(this.name, this.#value, this.#tenant === undefined ? {} : { tenant: this.#tenant })
  }

  filter<Row>(rows: readonly Row[]): Row[] {
    return this.record.cipher.filter(rows, this.name, this.#value)
  }
}

/**
 * A condition for `where`: the rows whose encrypted column has this value. The plugin drops the rows that an index matches
 * by chance. By an index that is not unique it stands alone or under `and`, in a select without `limit` and aggregates.
 *
 * @param cipher of the record, `room.records.customers`; the query has its table once
 * @param name a field with one index, or an index column
 * @param value of the field; for a compound index an object of all its fields
 * @param options the tenant, and the alias where the table has one
 * @throws InvalidInputError; KeyNotResidentError when the query runs
 */
export function matching<Schema extends AnyRecord, Name extends Searchable<Schema>>(
  cipher: AnyCipher & { readonly schema: Schema },
  name: Name,
  value: SearchedValue<Schema, Name>,
  options: SearchOptions<Schema> & { readonly table?: string } = {} as SearchOptions<Schema> & { table?: string },
): Expression<SqlBool> {
  assertObject(options, 'the options')
  const searched = new Searched(new MappedRecord(cipher), name, value, options.tenant)
  const node = asNode({
    kind: 'BinaryOperationNode',
    leftOperand: reference(options.table ?? cipher.schema.name, searched.index.column),
    operator: { kind: 'OperatorNode', operator: 'in' },
    rightOperand: { kind: 'PrimitiveValueListNode', values: [searched] },
  })
  return { expressionType: undefined, toOperationNode: () => node }
}

/** The search that a node is. */
export function searchedIn(node: Node): Searched | undefined {
  if (node.kind !== 'BinaryOperationNode') return undefined
  const { values } = asNode(node.rightOperand) as { values?: readonly unknown[] }
  return Array.isArray(values) && values[0] instanceof Searched ? values[0] : undefined
}
