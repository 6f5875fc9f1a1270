import { Model, type ModelStatic } from 'sequelize'
import { InvalidInputError } from '../../src/errors.ts'
import { looksEncrypted, StoredValue } from '../../src/mapping/stored-value.ts'
import { remember } from './identity.ts'
import type { Encrypted, Registry } from './registry.ts'

type Values = Record<string, unknown>

/** A model that is included in the rows of another one. */
export interface Included {
  readonly as: string
  readonly model: unknown
  readonly include?: readonly Included[]
}

interface Found {
  readonly row: Values
  readonly show: (plain: Values) => void
}

/** Everything that a statement returned, to be decrypted together: each record as one batch. */
export class Results {
  readonly #registry: Registry
  readonly #found = new Map<Encrypted, Found[]>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** Finds what is encrypted in instances and raw rows. @throws InvalidInputError for a value under another name than its own */
  add(value: unknown, model: unknown, include: readonly Included[] = []): void {
    if (Array.isArray(value)) for (const one of value) this.add(one, model, include)
    else if (value instanceof Model) this.#addInstance(value)
    else if (isRow(value)) this.#addRow(value, model, include, '')
  }

  /** Finds the columns of an instance that a write got back from the database. */
  addReturned(encrypted: Encrypted, instance: Model, names: readonly string[]): void {
    const values = instance.dataValues as Values
    const row = Object.fromEntries([...encrypted.record.identity, ...names].map((name) => [name, values[name]]))
    this.#push(encrypted, row, (plain) => {
      for (const name of names) values[name] = plain[name]
    })
  }

  /** Decrypts all of it where it stands. @throws DecryptionError, InvalidInputError; what loading keys throws */
  async decrypt(): Promise<void> {
    for (const [{ record }, found] of this.#found) {
      const rows = await record.cipher.decryptMany(found.map(({ row }) => row))
      for (const [at, { show }] of found.entries()) show(rows[at] as Values)
    }
  }

  #addInstance(instance: Model): void {
    const values = instance.dataValues as Values
    const encrypted = this.#registry.find(instance.constructor)
    const seen = new Set<string>()
    if (encrypted === undefined) this.#addOrdinary(instance.constructor, '', seen)
    else this.#addColumns(encrypted, values, '', seen, (plain) => show(encrypted, instance, plain))
    for (const [name, value] of Object.entries(values)) {
      if (value instanceof Model || (Array.isArray(value) && value[0] instanceof Model)) this.add(value, undefined)
      else if (!seen.has(name)) assertOrdinary(name, value)
    }
  }

  #addRow(row: Values, model: unknown, include: readonly Included[], prefix: string, seen = new Set<string>()): void {
    const encrypted = this.#registry.find(model)
    if (encrypted === undefined) this.#addOrdinary(model, prefix, seen)
    else {
      this.#addColumns(encrypted, row, prefix, seen, (plain) => {
        for (const name of Object.keys(plain)) row[`${prefix}${name}`] = plain[name]
      })
    }
    for (const { as, model: other, include: inner = [] } of include) {
      const nested = row[as]
      if (prefix === '' && isRow(nested)) this.#addRow(nested, other, inner, '')
      else this.#addRow(row, other, inner, `${prefix}${as}.`, seen)
    }
    if (prefix !== '') return
    for (const [name, value] of Object.entries(row)) if (!seen.has(name)) assertOrdinary(name, value)
  }

  /** The columns of a model without a record hold what they hold, unless its table is that of a record. */
  #addOrdinary(model: unknown, prefix: string, seen: Set<string>): void {
    const { tableName, getAttributes } = (model ?? {}) as Partial<ModelStatic<Model>>
    if (getAttributes === undefined || this.#registry.hasTable(tableName)) return
    for (const [name, { field = name }] of Object.entries(getAttributes.call(model as ModelStatic<Model>))) {
      seen.add(`${prefix}${name}`).add(`${prefix}${field}`)
    }
  }

  #addColumns(
    encrypted: Encrypted,
    values: Values,
    prefix: string,
    seen: Set<string>,
    show: (plain: Values) => void,
  ): void {
    const { record, named } = encrypted
    const keyOf = (name: string) => {
      const keys = [`${prefix}${name}`, `${prefix}${named.columns.get(name)}`]
      return keys.find((key) => values[key] !== undefined)
    }
    for (const key of [...record.indexColumns].map(keyOf)) if (key !== undefined) delete values[key]
    for (const name of named.columns.keys()) {
      const key = keyOf(name)
      // Bytes of a plain column may begin like a ciphertext.
      if (key !== undefined && !record.fields.has(name) && values[key] instanceof Uint8Array) seen.add(key)
    }
    const keys = new Map<string, string>()
    for (const name of record.fields) {
      const key = keyOf(name)
      if (key === undefined) continue
      seen.add(key)
      keys.set(name, key.slice(prefix.length))
    }
    const ids = record.identity.flatMap((name) => {
      const key = keyOf(name)
      return key === undefined ? [] : [[name, values[key]] as const]
    })
    // The other side of an outer join that found nothing.
    if (keys.size === 0 || (ids.length > 0 && ids.every(([, value]) => value === null))) return
    const fields = [...keys].map(([name, key]) => [name, values[`${prefix}${key}`]])
    this.#push(encrypted, Object.fromEntries([...ids, ...fields]), (plain) => {
      show(Object.fromEntries([...keys].map(([name, key]) => [key, plain[name]])))
    })
  }

  #push(encrypted: Encrypted, row: Values, show: (plain: Values) => void): void {
    const found = this.#found.get(encrypted)
    if (found === undefined) this.#found.set(encrypted, [{ row, show }])
    else found.push({ row, show })
  }
}

/** Hides ciphertexts in rows that no model belongs to: they are no plaintexts, and are written nowhere by mistake. */
export function hideCiphertexts(returned: unknown): void {
  if (Array.isArray(returned)) for (const one of returned) hideCiphertexts(one)
  else if (isRow(returned)) hideIn(returned)
}

function hideIn(row: Values): void {
  for (const [name, value] of Object.entries(row)) {
    if (looksEncrypted(value)) row[name] = StoredValue.wrap(value as string)
    else if (isRow(value) && Object.getPrototypeOf(value) === Object.prototype) hideIn(value)
  }
}

function show(encrypted: Encrypted, instance: Model, plain: Values): void {
  instance.set(plain as never, { raw: true })
  const values = instance.dataValues as Values
  if (encrypted.record.identity.every((name) => values[name] !== undefined)) remember(encrypted, instance)
}

function assertOrdinary(name: string, value: unknown): void {
  if (!looksEncrypted(value)) return
  throw new InvalidInputError(
    `the result has an encrypted value as ${name}, where it cannot be decrypted: select encrypted columns by their own names, with the id and tenant of their row`,
  )
}

function isRow(value: unknown): value is Values {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return (
    !(value instanceof Uint8Array) && !(value instanceof Date) && !(value instanceof Model) && !StoredValue.is(value)
  )
}
