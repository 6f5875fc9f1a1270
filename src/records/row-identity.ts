import { Buffer } from 'node:buffer'
import { assertText, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { canonicalId, encodeScope } from '../keys/scope.ts'
import type { RecordOptions } from './schema.ts'
import { idColumns } from './schema.ts'

/** Which row it is, and whose. */
export interface RowIdentity {
  /** The text that values are bound to; undefined when the record is unbound. */
  readonly row: string | undefined
  readonly tenant: string | undefined
  /** Canonical text of the scope of the row's data key. */
  readonly scope: string
}

/** A row as it comes in: nothing is known of it. */
export type UnknownRow = Readonly<Record<string, unknown>>

/** Finds out which row a row is. Made once for each record. */
export class RowIdentifier {
  readonly #ids: readonly string[]
  readonly #tenant: string | undefined
  readonly #subject: string | undefined
  readonly #app: string
  readonly #record: string
  #lastTenant: string | undefined
  #lastScope = ''

  constructor(app: string, record: string, options: RecordOptions) {
    this.#app = app
    this.#record = record
    this.#ids = idColumns(options)
    this.#tenant = options.tenant
    this.#subject = options.subject
  }

  /** The columns that identify a row. */
  get columns(): readonly string[] {
    return [...this.#ids, this.#tenant, this.#subject].filter((column) => column !== undefined)
  }

  /** @throws InvalidInputError when an identity column is missing or not an id */
  identify(row: UnknownRow): RowIdentity {
    const tenant = this.#tenant === undefined ? undefined : this.#text(row, this.#tenant)
    return { row: this.#rowText(row), tenant, scope: this.#scope(row, tenant) }
  }

  /** The scope of the index keys of a tenant. @throws InvalidInputError */
  tenantScope(tenant: unknown): string {
    return this.#scopeOf(this.#id(tenant, 'the tenant'))
  }

  #rowText(row: UnknownRow): string | undefined {
    const first = this.#ids[0]
    if (first === undefined) return undefined
    if (this.#ids.length === 1) return this.#text(row, first)
    return JSON.stringify(this.#ids.map((column) => this.#text(row, column)))
  }

  #scope(row: UnknownRow, tenant: string | undefined): string {
    if (this.#subject === undefined) return tenant === undefined ? '' : this.#scopeOf(tenant)
    const subject = this.#text(row, this.#subject)
    return encodeScope(tenant === undefined ? { subject } : { tenant, subject }, this.#app)
  }

  #scopeOf(tenant: string): string {
    if (tenant === this.#lastTenant) return this.#lastScope
    this.#lastScope = encodeScope({ tenant }, this.#app)
    this.#lastTenant = tenant
    return this.#lastScope
  }

  #text(row: UnknownRow, column: string): string {
    return this.#id(Object.hasOwn(row, column) ? row[column] : undefined, `${this.#record}.${column}`)
  }

  /**
   * One id has one text, whatever type a driver gives it: 7, 7n and "7" are the same row, and a UUID is written in
   * lower case, as databases return it. Specification section 2.3.
   */
  #id(value: unknown, what: string): string {
    if (typeof value === 'string') {
      assertText(value, what)
      if (value === '') throw new InvalidInputError(`${what} must not be empty`)
      return canonicalId(value)
    }
    if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
    if (typeof value === 'bigint') return String(value)
    if (value instanceof Uint8Array && value.byteLength > 0) return Buffer.from(value).toString('hex')
    throw new InvalidInputError(
      `${what} must be a string, a whole number or a bigint, received ${describe(value)}: every value is bound to it`,
    )
  }
}
