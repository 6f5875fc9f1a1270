import { type Encryption, type Model, type Models, own, type RowCipher, type Values } from './models.ts'
import { isEncrypted, isObject, isSkip, refuse, refuseUnknown } from './refusals.ts'

/** A row that nested writes hang on. */
export interface Parent {
  readonly model: Model
  /** What is known of the row. */
  readonly row: Values
  /** Its data, into which the rewritten nested writes go. */
  readonly out: Values
  readonly isUpdate: boolean
}

/** Rewrites the nested writes of one relation. @returns columns of the parent that they fill, as far as they are known */
export type NestedWrite = (writes: Writes, parent: Parent, name: string, value: unknown) => Promise<Values>

interface Pending {
  readonly row: Values
  readonly into: Values
  readonly known: ReadonlySet<string>
}

/** Rows that are to be encrypted, gathered from one call and its nested writes. */
export class Writes {
  readonly models: Models
  readonly nested: NestedWrite
  readonly #pending = new Map<RowCipher, Pending[]>()

  constructor(models: Models, nested: NestedWrite) {
    this.models = models
    this.nested = nested
  }

  /** Encrypts `row` later, and puts the result into `into`, without the columns of which only the value is known here. */
  add(cipher: RowCipher, row: Values, into: Values, known: ReadonlySet<string>): void {
    const rows = this.#pending.get(cipher) ?? []
    rows.push({ row, into, known })
    this.#pending.set(cipher, rows)
  }

  /** Encrypts everything, each record as one batch. @throws as `encryptMany`; then nothing is written */
  async encrypt(): Promise<void> {
    for (const [cipher, pending] of this.#pending) {
      const rows = await cipher.encryptMany(pending.map(({ row }) => row))
      for (let at = 0; at < pending.length; at++) {
        const { into, known } = pending[at] as Pending
        const row = rows[at] as Values
        if (known.size === 0) Object.assign(into, row)
        else for (const name of Object.keys(row)) if (!known.has(name)) into[name] = row[name]
      }
    }
  }
}

/**
 * The data of a new row.
 *
 * @param known columns that Prisma fills from the row around it, or that the caller said elsewhere
 * @returns the data as Prisma gets it, once `writes.encrypt` is done
 */
export function createData(writes: Writes, model: Model, data: unknown, known: Values = {}): Values | Promise<Values> {
  if (!isObject(data)) refuse(model, 'data must be an object')
  const parts = split(model, data)
  const parent: Parent = { model, row: { ...known }, out: {}, isUpdate: false }
  // A promise for every row would cost as much as a field of it.
  if (parts.here.length + parts.there.length > 0) return createNested(writes, parent, data, parts)
  return createRow(writes, parent, data, parts.columns)
}

async function createNested(
  writes: Writes,
  parent: Parent,
  data: Values,
  { here, columns, there }: Parts,
): Promise<Values> {
  for (const name of here) Object.assign(parent.row, await writes.nested(writes, parent, name, data[name]))
  createRow(writes, parent, data, columns)
  for (const name of there) await writes.nested(writes, parent, name, data[name])
  return parent.out
}

/** @returns what Prisma gets of the row, with the columns that are not encrypted */
function createRow(writes: Writes, { model, row, out }: Parent, data: Values, columns: readonly string[]): Values {
  const { encryption } = model
  for (const name of columns) {
    const value = data[name]
    row[name] = value
    if (!isEncrypted(model, name)) out[name] = value
    else if (isObject(value)) assertGiven(model, encryption as Encryption, name, value)
  }
  if (encryption !== undefined) {
    fillIdentity(writes.models, model, encryption, row, out)
    fillNulls(model, encryption, row)
    writes.add(encryption.cipher, row, out, onlyKnown(row, out, encryption))
  }
  return out
}

const NONE: ReadonlySet<string> = new Set()

/** Columns of which only the value is known: Prisma fills them. */
function onlyKnown(row: Values, out: Values, { record }: Encryption): ReadonlySet<string> {
  let names: Set<string> | undefined
  for (const name in row) {
    if (record.columns.has(name) || Object.hasOwn(out, name)) continue
    names ??= new Set()
    names.add(name)
  }
  return names ?? NONE
}

/**
 * The data of a change to one row, or to rows of which nothing is known.
 *
 * @param demands the columns that the `where` demands: encrypting needs the identity among them
 * @param how says what to write where they lack it
 */
export async function updateData(
  writes: Writes,
  model: Model,
  data: unknown,
  demands: Values,
  how: (identity: string) => string = (identity) =>
    `\`where\` must say ${identity} exactly; for rows that are found otherwise use updateEach`,
): Promise<Values> {
  if (!isObject(data)) refuse(model, 'data must be an object')
  const { encryption } = model
  const out: Values = {}
  const parts = split(model, data)
  const changed: Values = {}
  for (const name of parts.columns) {
    const value = data[name]
    const holder = holderOf(writes.models, model, name)
    if (holder !== undefined) keepIdentity(model, name, setTo(value), demands, holder)
    else if (isEncrypted(model, name)) changed[name] = assigned(model, encryption as Encryption, name, value)
    else out[name] = value
  }
  if (encryption !== undefined) assertPlainColumns(model, encryption, Object.keys(out))
  if (encryption !== undefined && Object.keys(changed).length > 0) {
    const row: Values = {}
    for (const name of encryption.identity) {
      if (demands[name] === undefined) {
        refuse(
          model,
          `update of ${Object.keys(changed).join(', ')}: values are bound to their row, so ${how(encryption.identity.join(' and '))}`,
        )
      }
      row[name] = demands[name]
    }
    writes.add(encryption.cipher, { ...row, ...changed }, out, new Set(encryption.identity))
  }
  const parent: Parent = { model, row: demands, out, isUpdate: true }
  for (const name of [...parts.here, ...parts.there]) await writes.nested(writes, parent, name, data[name])
  return out
}

interface Parts {
  readonly columns: readonly string[]
  /** Relations whose columns are here, and which say what those are. */
  readonly here: readonly string[]
  readonly there: readonly string[]
}

function split(model: Model, data: Values): Parts {
  const parts = {
    columns: [] as string[],
    here: [] as string[],
    there: [] as string[],
  }
  for (const name of Object.keys(data)) {
    const value = data[name]
    if (value === undefined || isSkip(value)) continue
    if (model.encryption?.indexes.has(name)) {
      refuse(model, `${name} is filled from the columns that it indexes: leave it out of data`)
    }
    const relation = own(model.relations, name)
    if (relation !== undefined) parts[relation.here === undefined ? 'there' : 'here'].push(name)
    else if (model.scalars.has(name)) parts.columns.push(name)
    else refuseUnknown(model, name)
  }
  return parts
}

function fillIdentity(models: Models, model: Model, encryption: Encryption, row: Values, out: Values): void {
  const fill = (name: string, value: unknown) => {
    if (value === undefined) return
    out[name] = value
    row[name] = value
  }
  const { tenant, ids, newId } = encryption
  const scope = tenant === undefined ? undefined : models.tenant()
  if (tenant !== undefined && row[tenant] === undefined) fill(tenant, scope)
  else if (tenant !== undefined && scope !== undefined && String(row[tenant]) !== String(scope)) {
    refuse(model, `${tenant} of the row is not the tenant of this work, which \`tenant\` says`)
  }
  const id = ids[0]
  if (id !== undefined && ids.length === 1 && row[id] === undefined) fill(id, newId?.())
  for (const name of encryption.identity) {
    if (row[name] !== undefined && row[name] !== null) continue
    const how = ids.includes(name)
      ? `, for example uuidv7(), or name a generator in \`ids: { ${model.name}: uuidv7 }\``
      : ''
    refuse(
      model,
      `create without ${name}: every value is bound to it, so it must be known before the row is written, and an id from the database comes too late; give it${how}`,
    )
  }
}

/** What is left out is null, unless a default of the database would be written as plaintext. */
function fillNulls(model: Model, { record }: Encryption, row: Values): void {
  for (const { name, nullable, visibleNull, state } of record.columns.values()) {
    if (Object.hasOwn(row, name) || visibleNull || state === 'plaintext') continue
    if (!nullable) refuse(model, `create without ${name}: a default of the database would be plaintext; give a value`)
    row[name] = null
  }
}

/** Plain columns must be declared, as for any row. */
function assertPlainColumns(model: Model, { cipher, record }: Encryption, names: readonly string[]): void {
  const { plain } = cipher.schema.options
  if (plain === 'all') return
  const forgotten = names.find((name) => !record.columns.has(name) && !plain?.includes(name))
  if (forgotten !== undefined) {
    refuse(
      model,
      `${forgotten} is not declared, so it would be written as plaintext: add a field for it, or list it in \`plain\``,
    )
  }
}

/** The model whose values are bound to a column: its own, or one that keeps it as id, tenant or subject, which databases change with it. */
function holderOf(models: Models, model: Model, name: string): Model | undefined {
  if (model.encryption?.identity.includes(name)) return model
  for (const { model: other, there = {} } of Object.values(model.relations)) {
    const held = Object.keys(there).find((theirs) => there[theirs] === name)
    const found = held === undefined ? undefined : models.get(other)
    if (found?.encryption?.identity.includes(held as string)) return found
  }
  return undefined
}

function keepIdentity(model: Model, name: string, value: unknown, demands: Values, holder: Model): void {
  if (demands[name] !== undefined && String(demands[name]) === String(value)) return
  const rows = holder === model ? 'the row' : `its rows of ${holder.name}`
  refuse(model, `update of ${name}: every value of ${rows} is bound to it; make a new row and delete this one`)
}

/** Refuses the empty object that Prisma 6 makes of `Prisma.skip` for extensions; in a JSON column it is a value. */
function assertGiven(model: Model, { record }: Encryption, name: string, value: Values): void {
  if (Object.keys(value).length > 0 || record.columns.get(name)?.type === 'json') return
  refuse(model, `${name} is an empty object, as Prisma 6 gives Prisma.skip to extensions: leave ${name} out instead`)
}

/** The value of an update such as `{ set: 'x' }`. */
function assigned(model: Model, encryption: Encryption, name: string, value: unknown): unknown {
  const { record } = encryption
  if (isObject(value) && isSkip(value.set)) {
    refuse(model, `update of ${name} with { set: Prisma.skip }: give Prisma.skip itself, or leave ${name} out`)
  }
  if (!isObject(value) || record.columns.get(name)?.type === 'json') return value
  assertGiven(model, encryption, name, value)
  const operators = Object.keys(value)
  if (operators.length === 1 && operators[0] === 'set') return value.set
  refuse(model, `update of ${name} with ${operators.join(', ')}: the database cannot calculate with an encrypted value`)
}

function setTo(value: unknown): unknown {
  return isObject(value) && Object.keys(value).length === 1 && Object.hasOwn(value, 'set') ? value.set : value
}
