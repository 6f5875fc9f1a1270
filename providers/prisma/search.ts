import { equalBytes } from '../../src/bytes.ts'
import type { CompiledIndex } from '../../src/records/compiled-record.ts'
import type { RowId } from '../../src/records/record-types.ts'
import { ALWAYS, allOf, type Condition } from './condition.ts'
import type { Encryption, Model, Values } from './models.ts'
import { refuse, searchHint } from './refusals.ts'

/** Tags of this many bits are shared by equal values alone. */
const UNIQUE_BITS = 128

/**
 * Turns equality on encrypted columns into conditions on index columns. A compound index is used when all of its columns
 * are given. The name of an index column searches that index, as `ssn_last4: '1120'`.
 *
 * @param searched by column: a value, `{ equals }` or `{ in }`
 */
export async function searchFields(
  model: Model,
  encryption: Encryption,
  searched: Values,
  tenant: unknown,
): Promise<Condition> {
  const left = new Map(
    Object.entries(searched).map(([name, value]) => [name, valuesOf(model, encryption, name, value)]),
  )
  const parts: Condition[] = []
  const use = async (index: CompiledIndex, values: readonly unknown[], test: Condition['test']) => {
    parts.push(await tagged(model, encryption, index, values, tenant, test))
  }
  for (const index of encryption.indexes.values()) {
    const given = index.parts.map(({ field }) => left.get(field))
    if (index.parts.length < 2 || !given.every((values) => values?.length === 1)) continue
    const value = Object.fromEntries(index.parts.map(({ field }, at) => [field, given[at]?.[0]]))
    await use(index, [value], (row) => encryption.cipher.filter([row], index.column, value).length > 0)
    for (const { field } of index.parts) left.delete(field)
  }
  for (const [name, values] of left) {
    const named = encryption.indexes.get(name)
    const index = named ?? bestIndex(encryption, name)
    if (index === undefined)
      refuse(model, `where ${name}: the column is encrypted and cannot be compared; ${searchHint(encryption, name)}`)
    const { filter } = encryption.cipher
    const matches = (row: Values, value: unknown) =>
      filter.call(encryption.cipher, [row], index.column, value).length > 0
    const same =
      named !== undefined || isEquality(index) ? matches : (row: Values, value: unknown) => isSame(row[name], value)
    await use(index, values, (row) => values.some((value) => same(row, value)))
  }
  return parts.length === 0 ? ALWAYS : allOf(parts)
}

/** The index of one column that returns the fewest other rows. */
function bestIndex({ indexes }: Encryption, field: string): CompiledIndex | undefined {
  const own = [...indexes.values()].filter(({ parts }) => parts.length === 1 && parts[0]?.field === field)
  const rank = (index: CompiledIndex) => Number(isEquality(index)) * 1_000 + index.bits
  return own.sort((a, b) => rank(b) - rank(a))[0]
}

/** Whether two values that the index takes for equal are: not those that it only groups, as by the last four digits. */
function isEquality({ parts }: CompiledIndex): boolean {
  return parts.every(({ transform: { distinct, assumedDistinct, applyToQuery, matches } }) => {
    return [distinct, assumedDistinct, applyToQuery, matches].every((part) => part === undefined)
  })
}

async function tagged(
  model: Model,
  { cipher }: Encryption,
  index: CompiledIndex,
  values: readonly unknown[],
  tenant: unknown,
  test: Condition['test'],
): Promise<Condition> {
  if (!index.global && tenant === undefined) {
    const column = cipher.schema.options.tenant
    refuse(
      model,
      `where ${index.parts.map(({ field }) => field).join(', ')}: each tenant has an index key of its own, so the same \`where\` must say ${column}`,
    )
  }
  const tags = await cipher.indexMany(index.column, values, index.global ? {} : { tenant: tenant as RowId })
  return {
    where: { [index.column]: tags.length === 1 ? tags[0] : { in: tags } },
    exact: index.bits === UNIQUE_BITS && isEquality(index),
    complete: true,
    test,
    reads: index.parts.map(({ field }) => field),
  }
}

/** The values that a column is compared with. @throws InvalidInputError on anything but equality */
function valuesOf(model: Model, encryption: Encryption, name: string, value: unknown): readonly unknown[] {
  const isFilter =
    Object.prototype.toString.call(value) === '[object Object]' && encryption.record.columns.get(name)?.type !== 'json'
  const given = isFilter
    ? Object.entries(value as Values).filter(([, operand]) => operand !== undefined)
    : [['equals', value]]
  const [operator, operand] = given[0] ?? []
  const hint = encryption.indexes.has(name) ? 'an index finds equal values' : searchHint(encryption, name)
  if (given.length !== 1 || !['equals', 'in'].includes(operator as string)) {
    const operators = given.map(([operator]) => operator).join(', ')
    refuse(
      model,
      `where ${name} with ${operators}: the column is encrypted, and only \`equals\` and \`in\` can be answered; ${hint}`,
    )
  }
  const values = operator === 'in' ? operand : [operand]
  if (!Array.isArray(values)) refuse(model, `where ${name} in: give a list`)
  if (values.some((one) => one === null)) {
    refuse(
      model,
      `where ${name} is null: a null is encrypted like any value; declare it \`nullable: 'visible'\` to search for it`,
    )
  }
  return values
}

function isSame(stored: unknown, wanted: unknown): boolean {
  if (stored instanceof Date && wanted instanceof Date) return stored.getTime() === wanted.getTime()
  if (stored instanceof Uint8Array && wanted instanceof Uint8Array) return equalBytes(stored, wanted)
  return Object.is(stored, wanted)
}
