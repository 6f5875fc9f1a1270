import { ConfigError } from '../errors.ts'
import { DEFAULT_PADDING, type Padding } from '../format/padding.ts'
import type { ValueType } from '../format/typed-value.ts'
import { planIndexes } from '../index/budget.ts'
import type { FieldType } from '../index/field-type.ts'
import type { AnyTransform } from '../index/transform.ts'
import { plannedDistinct, resolveTransform } from '../index/transforms.ts'
import type { Field, IndexOptions, Storage } from './field.ts'
import { assertRecord, type CompoundIndexOptions, idColumns, indexList, type RecordSchema } from './schema.ts'

/** A column with everything decided that can be decided before the first row. */
export interface Column {
  readonly name: string
  /** Its place in the context template. */
  readonly at: number
  readonly type: ValueType
  readonly nullable: boolean
  readonly visibleNull: boolean
  readonly binary: boolean
  readonly padding: Padding
  readonly state: 'encrypted' | 'migrating' | 'plaintext'
  /** ms since 1970; the end of a migration. */
  readonly until: number
}

/** One part of an index: a field and how its value is transformed. */
export interface IndexPart {
  readonly field: string
  readonly type: FieldType
  readonly transform: AnyTransform
}

/** An index with its plan made. */
export interface CompiledIndex {
  readonly column: string
  readonly parts: readonly IndexPart[]
  readonly bits: number
  readonly binary: boolean
  readonly global: boolean
  readonly nullTag: boolean
  /** Whether a tag takes an Argon2id hash, and so cannot be made synchronously. */
  readonly slow: boolean
  /** Rows from which on the plan no longer fits; undefined where it fits any number. */
  readonly warnAtRows: number | undefined
}

/** A record ready for work. */
export interface CompiledRecord {
  readonly name: string
  readonly columns: ReadonlyMap<string, Column>
  readonly indexes: readonly CompiledIndex[]
}

/** Checks a record as a whole and plans its indexes. @throws ConfigError */
export function compileRecord(schema: RecordSchema): CompiledRecord {
  assertRecord(schema)
  const { name, fields, options } = schema
  const storage = options.storage ?? 'text'
  const columns = Object.keys(fields).map((column, at) => compileColumn(column, at, fields[column] as Field, storage))
  const declared = declaredIndexes(schema)
  const reserved = new Set([...Object.keys(fields), ...idColumns(options)])
  for (const { column } of declared) {
    if (reserved.has(column)) throw new ConfigError(`index column ${name}.${column} is a column of the record already`)
    reserved.add(column)
  }
  const plans = planIndexes(
    declared.map((index) => ({
      index: index.column,
      fields: index.parts.map((part) => part.field),
      rows: index.options.rows,
      distinct: plannedDistinct(
        index.parts.map((part) => part.transform),
        index.options.distinct,
      ),
      bits: index.options.bits,
      unique: index.options.unique,
    })),
  )
  return {
    name,
    columns: new Map(columns.map((column) => [column.name, column])),
    indexes: declared.map(({ column, parts, options: index }, at) => ({
      column,
      parts,
      bits: plans[at]?.bits as number,
      binary: storage === 'binary',
      global: options.tenant === undefined || index.scope === 'global',
      nullTag: index.nulls !== 'null',
      slow: index.slow === true,
      warnAtRows: plans[at]?.warnAtRows,
    })),
  }
}

interface DeclaredIndex {
  readonly column: string
  readonly parts: readonly IndexPart[]
  readonly options: Omit<IndexOptions, 'column' | 'transform'>
}

function compileColumn(name: string, at: number, { type, options }: Field, storage: Storage): Column {
  return {
    name,
    at,
    type,
    nullable: options.nullable === true || options.nullable === 'visible',
    visibleNull: options.nullable === 'visible',
    binary: (options.storage ?? storage) === 'binary',
    padding: options.padding ?? DEFAULT_PADDING,
    state: options.state ?? 'encrypted',
    until: options.until === undefined ? Number.POSITIVE_INFINITY : new Date(options.until).getTime(),
  }
}

function declaredIndexes({ name, fields, options }: RecordSchema): DeclaredIndex[] {
  const single = Object.entries(fields).flatMap(([field, { type, options: own }]) =>
    indexList(own).map((index) => ({
      column: index.column,
      parts: [part(name, field, type, index.transform)],
      options: index,
    })),
  )
  const compound = Object.entries(options.indexes ?? {}).map(([column, index]) => ({
    column,
    parts: compoundParts(name, column, fields, index),
    options: index,
  }))
  return [...single, ...compound]
}

function compoundParts(
  record: string,
  column: string,
  fields: RecordSchema['fields'],
  { fields: names, transforms }: CompoundIndexOptions,
): IndexPart[] {
  if (names.length < 2 || names.length > 16)
    throw new ConfigError(`compound index ${record}.${column} needs 2 to 16 fields`)
  if (transforms !== undefined && transforms.length !== names.length) {
    throw new ConfigError(
      `compound index ${record}.${column} has ${names.length} fields and ${transforms.length} transforms`,
    )
  }
  return names.map((field, at) => {
    const declared = Object.hasOwn(fields, field) ? fields[field] : undefined
    if (declared === undefined) throw new ConfigError(`compound index ${record}.${column} names no field ${field}`)
    return part(record, field, declared.type, transforms?.[at])
  })
}

function part(record: string, field: string, type: ValueType, transform: IndexOptions['transform']): IndexPart {
  if (type === 'json')
    throw new ConfigError(`${record}.${field} is json and cannot be indexed: give what you search a field of its own`)
  return { field, type, transform: resolveTransform(transform ?? 'exact', type) }
}
