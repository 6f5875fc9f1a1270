import { BulkRecordError, AggregateError as BulkRecordErrors, type Model, Op, type Transaction, Utils } from 'sequelize'
import { InvalidInputError } from '../../src/errors.ts'
import type { AnyRow, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { assertSameRow, hasIdentity, identityOf } from './identity.ts'
import type { Encrypted } from './registry.ts'
import { Sealed, type SealedRow } from './sealed.ts'
import { demanded } from './where.ts'

/** The options of Sequelize that matter to a write. They are those of its call, and Sequelize goes on with what is set in them. */
export interface WriteOptions {
  fields?: string[]
  defaultFields?: string[]
  validate?: boolean
  individualHooks?: boolean
  exception?: boolean
  ignoreDuplicates?: boolean
  updateOnDuplicate?: readonly string[]
  where?: unknown
  attributes?: Record<string, unknown>
  transaction?: Transaction | null
  [INSTANCES]?: readonly Model[]
}

/** Under it the options of a bulk insert carry its instances to the statement. */
export const INSTANCES: unique symbol = Symbol('strongroom.instances')

type Values = Record<string, unknown>

/** What calls of `Model.update` that look at each instance asked for. */
const wheres = new WeakMap<WriteOptions, unknown>()

/** Encrypts new instances, all or none. @throws InvalidInputError; what loading keys throws */
export async function sealNew(encrypted: Encrypted, instances: readonly Model[], options: WriteOptions): Promise<void> {
  const { record } = encrypted
  const taken = options.updateOnDuplicate?.find((name) => !isPlain(encrypted, name))
  if (taken !== undefined) throw onConflict(encrypted, taken)
  const rows = instances.map((instance) => record.complete(rowOf(encrypted, instance, options.fields)))
  const stored = await record.cipher.encryptMany(rows)
  for (let at = 0; at < rows.length; at++) {
    const row = stored[at] as AnyRow
    place(encrypted, instances[at] as Model, row, rows[at] as AnyRow, record.written)
    if (options.fields !== undefined) addFields(options.fields, record.written, row)
  }
  // PostgreSQL would get the insert in the text of a function, where no statement can be read.
  if (options.exception === true) options.exception = false
}

/** Validates what hooks of the application made of new instances, as Sequelize would after the last hook. @throws AggregateError */
export async function validateNew(instances: readonly Model[], options: WriteOptions): Promise<void> {
  if (options.validate !== true) return
  const checked = { ...options, hooks: options.individualHooks === true }
  const failed = await Promise.all(
    instances.map((instance) =>
      instance.validate(checked).then(
        () => [],
        (error: Error) => [new BulkRecordError(error, instance)],
      ),
    ),
  )
  const errors = failed.flat()
  if (errors.length > 0) throw new BulkRecordErrors(errors as never)
  options.validate = false
}

/** Encrypts what was changed in an instance. @throws InvalidInputError when the row is not the one in the database */
export async function sealChanged(encrypted: Encrypted, instance: Model, options: WriteOptions): Promise<void> {
  const { record } = encrypted
  const changed = changedIn(instance, options)
  const row = instance.dataValues as Values
  for (const name of record.indexColumns) {
    if (changed.includes(name) && row[name] !== undefined && !(row[name] instanceof Sealed)) {
      throw record.writtenIndex(name)
    }
  }
  const fields = changed.filter((name) => record.isEncrypted(name) && row[name] !== undefined)
  if (fields.length === 0 && !changed.some((name) => record.identity.includes(name))) return
  await assertSameRow(encrypted, instance, options)
  // It is the same: an instance that an application built for a row has all of its columns as changed.
  if (options.fields !== undefined) options.fields = options.fields.filter((name) => !record.identity.includes(name))
  if (fields.length === 0) return
  if (options.validate === true && encrypted.model.hasHook('beforeUpdate')) {
    const skip = [...encrypted.named.columns.keys()].filter((name) => !changed.includes(name))
    await instance.validate({ ...options, hooks: false, skip } as never)
  }
  // Sequelize would validate what stands in for the values.
  options.validate = false
  const companions = [...record.indexColumns].map((name) => record.search(name).fields)
  const needed = companions.filter((list) => list.some((name) => fields.includes(name))).flat()
  const known = rowOf(encrypted, instance, [...record.identity, ...fields, ...needed])
  const [stored] = await record.cipher.encryptMany([known])
  const written = Object.keys(stored as AnyRow).filter((name) => fields.includes(name) || record.indexColumns.has(name))
  place(encrypted, instance, stored as AnyRow, known, written)
  options.fields ??= []
  addFields(options.fields, written, stored as AnyRow)
  // One statement may be all that Sequelize makes of an update of many rows: then it must not reach another one.
  if (options.where !== undefined) narrow(options, record.identity, row)
}

/** What Sequelize is going to write: what it was told to, or what was changed, also by hooks of the application. */
function changedIn(instance: Model, { fields, defaultFields, individualHooks }: WriteOptions): string[] {
  const isTold = fields !== undefined && defaultFields === undefined && individualHooks !== true
  return [...new Set([...(fields ?? []), ...(isTold ? [] : instance.changed() || [])])]
}

/** Encrypts what `Model.update` changes, when its condition says which row that is. @throws InvalidInputError otherwise */
export async function sealUpdate(encrypted: Encrypted, options: WriteOptions): Promise<void> {
  const { record } = encrypted
  const values = options.attributes ?? {}
  record.assertChanges(Object.keys(values))
  const fields = Object.keys(values).filter((name) => record.isEncrypted(name))
  if (fields.length === 0 || options.individualHooks === true) return
  const expression = fields.find((name) => values[name] instanceof Utils.SequelizeMethod)
  if (expression !== undefined) throw record.unencrypted(expression)
  const identity = demanded(options.where, record.identity)
  const missing = record.identity.filter((name) => identity[name] === undefined)
  if (missing.length > 0) throw record.unknownRow(missing)
  const row = { ...identity, ...Object.fromEntries(fields.map((name) => [name, plainOf(values[name])])) }
  const [stored] = await record.cipher.encryptMany([row])
  const written = Object.entries(stored as AnyRow).filter(([name]) => !record.identity.includes(name))
  const sealed = written.map(([name, value]) => [name, new Sealed(value as string, (row as Values)[name])])
  options.attributes = { ...values, ...Object.fromEntries(sealed) }
  options.fields ??= []
  const names = written.map(([name]) => name)
  addFields(options.fields, names, stored as AnyRow)
}

/** An error for a write that may meet a row other than the one that its values are encrypted for. */
export function onConflict({ record }: Encrypted, name: string): InvalidInputError {
  return new InvalidInputError(
    `on conflict, ${record.name}.${name} cannot be set: the row in the way may be another one, to which the value is not bound. Use upsert() of encryptedModel()`,
  )
}

/** Gives an instance its values back, whatever became of the write. */
export function unseal({ record }: Encrypted, instance: Model): void {
  const values = instance.dataValues as Values
  // Backwards, because only the property that was added last is deleted without making the object slow.
  for (let at = record.written.length - 1; at >= 0; at--) {
    const name = record.written[at] as string
    const value = values[name]
    if (!(value instanceof Sealed)) continue
    if (record.indexColumns.has(name)) delete values[name]
    else values[name] = value.plain
  }
}

function place({ record }: Encrypted, instance: Model, stored: AnyRow, plain: AnyRow, names: readonly string[]): void {
  const row = rowFor(record, instance)
  const values = instance.dataValues as Values
  for (const name of names) {
    if (Object.hasOwn(stored, name)) values[name] = new Sealed(stored[name] as string, plain[name], row)
  }
}

function rowFor(record: MappedRecord, instance: Model): SealedRow {
  const identity = identityOf(record.identity, instance)
  return {
    identity,
    assertCurrent() {
      if (!hasIdentity(record.identity, instance, identity)) throw record.changedIdentity(record.identity.join(' or '))
    },
  }
}

/** The identity and fields of an instance, and index columns that somebody filled, with plain values. */
function rowOf({ record }: Encrypted, instance: Model, names?: readonly string[]): AnyRow {
  const values = instance.dataValues as Values
  const row: Values = {}
  for (const name of record.identity) take(record, values, name, row)
  for (const name of record.written) if (names === undefined || names.includes(name)) take(record, values, name, row)
  return row
}

function take(record: MappedRecord, values: Values, name: string, row: Values): void {
  const value = values[name]
  if (value === undefined || (value instanceof Sealed && record.indexColumns.has(name))) return
  if (typeof value === 'object' && value instanceof Utils.SequelizeMethod) throw record.unencrypted(name)
  row[name] = plainOf(value)
}

function narrow(options: WriteOptions, identity: readonly string[], row: Values): void {
  const where = wheres.get(options) ?? options.where
  wheres.set(options, where)
  options.where = { [Op.and]: [where, Object.fromEntries(identity.map((name) => [name, row[name]]))] }
}

function isPlain({ record }: Encrypted, name: string): boolean {
  return !record.isEncrypted(name) && !record.indexColumns.has(name) && !record.identity.includes(name)
}

function plainOf(value: unknown): unknown {
  return value instanceof Sealed ? value.plain : value
}

/** Adds those of the names that a row has. */
function addFields(fields: string[], names: readonly string[], row: AnyRow): void {
  for (const name of names) if (Object.hasOwn(row, name) && !fields.includes(name)) fields.push(name)
}
