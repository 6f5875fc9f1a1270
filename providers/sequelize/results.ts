import { Model, type ModelStatic } from 'sequelize'
import { InvalidInputError } from '../../src/errors.ts'
import { looksEncrypted, StoredValue } from '../../src/mapping/stored-value.ts'
import { remember } from './identity.ts'
import { type Known, type Layout, Layouts } from './layout.ts'
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
  readonly #layouts = new Layouts()

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
    const known: Known[] = []
    if (encrypted === undefined) known.push(...this.#ordinary(instance.constructor, ''))
    else {
      const layout = this.#layouts.of(encrypted, values, '')
      known.push(layout)
      const row = rowOf(encrypted, layout, values)
      if (row === undefined) instance.dataValues = without(values, layout.hidden)
      else this.#push(encrypted, row, (plain) => show(encrypted, instance, layout, plain))
    }
    for (const name of Object.keys(values)) {
      const value = values[name]
      if (value instanceof Model || (Array.isArray(value) && value[0] instanceof Model)) this.add(value, undefined)
      else assertOrdinary(name, value, known)
    }
  }

  #addRow(row: Values, model: unknown, include: readonly Included[], prefix: string, known: Known[] = []): void {
    const encrypted = this.#registry.find(model)
    if (encrypted === undefined) known.push(...this.#ordinary(model, prefix))
    else {
      const layout = this.#layouts.of(encrypted, row, prefix)
      known.push(layout)
      const stored = rowOf(encrypted, layout, row)
      for (const key of layout.hidden) delete row[key]
      if (stored !== undefined) {
        this.#push(encrypted, stored, (plain) => {
          for (const [name, key] of layout.fields) row[key] = plain[name]
        })
      }
    }
    for (const { as, model: other, include: inner = [] } of include) {
      const nested = row[as]
      if (prefix === '' && isRow(nested)) this.#addRow(nested, other, inner, '')
      else this.#addRow(row, other, inner, `${prefix}${as}.`, known)
    }
    if (prefix !== '') return
    for (const name of Object.keys(row)) assertOrdinary(name, row[name], known)
  }

  /** The columns of a model without a record hold what they hold, unless its table is that of a record. */
  #ordinary(model: unknown, prefix: string): readonly Known[] {
    const { tableName, getAttributes } = (model ?? {}) as Partial<ModelStatic<Model>>
    if (getAttributes === undefined || this.#registry.hasTable(tableName)) return []
    return [this.#layouts.ordinary(model as ModelStatic<Model>, prefix)]
  }

  #push(encrypted: Encrypted, row: Values, show: (plain: Values) => void): void {
    const found = this.#found.get(encrypted)
    if (found === undefined) this.#found.set(encrypted, [{ row, show }])
    else found.push({ row, show })
  }
}

/** The row as the cipher takes it; undefined where there is nothing to decrypt, as where an outer join found nothing. */
function rowOf({ record }: Encrypted, { ids, fields }: Layout, values: Values): Values | undefined {
  if (fields.length === 0 || (ids.length > 0 && ids.every(([, key]) => values[key] === null))) return undefined
  if (ids.length < record.identity.length && fields.some(([, key]) => values[key] !== null)) {
    throw record.unidentified(record.identity.filter((name) => !ids.some(([known]) => known === name)))
  }
  const row: Values = {}
  for (const [name, key] of ids) row[name] = values[key]
  for (const [name, key] of fields) row[name] = values[key]
  return row
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

function show(encrypted: Encrypted, instance: Model, layout: Layout, plain: Values): void {
  instance.dataValues = without(instance.dataValues as Values, layout.hidden)
  const shown: Values = {}
  for (const [name, key] of layout.fields) shown[key] = plain[name]
  instance.set(shown as never, { raw: true })
  const values = instance.dataValues as Values
  if (encrypted.record.identity.every((name) => values[name] !== undefined)) remember(encrypted, instance)
}

/** Made anew, because an object of which a property was deleted is slow from then on. */
function without(values: Values, hidden: ReadonlySet<string>): Values {
  if (hidden.size === 0) return values
  const kept: Values = {}
  for (const name of Object.keys(values)) if (!hidden.has(name)) kept[name] = values[name]
  return kept
}

function assertOrdinary(name: string, value: unknown, known: readonly Known[]): void {
  if (!looksEncrypted(value)) return
  for (const { any, bytes } of known) {
    // Bytes of a plain column may begin like a ciphertext.
    if (any.has(name) || (value instanceof Uint8Array && bytes.has(name))) return
  }
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
