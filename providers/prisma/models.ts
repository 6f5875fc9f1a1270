import { ConfigError } from '../../src/errors.ts'
import { type CompiledIndex, type CompiledRecord, compileRecord } from '../../src/records/compiled-record.ts'
import type { AnyRecord, RowId } from '../../src/records/record-types.ts'
import { idColumns } from '../../src/records/schema.ts'
import type { PrismaRelation, PrismaRelations } from './relations.ts'

/** Rows, arguments and results of Prisma: nothing is known of them. */
export type Values = Record<string, unknown>

/** The methods of a record cipher that are used here, for any record. */
export interface RowCipher {
  readonly schema: AnyRecord
  encryptMany(rows: readonly Values[]): Promise<Values[]>
  decryptMany(rows: readonly Values[]): Promise<Values[]>
  indexMany(name: string, values: readonly unknown[], options: { tenant?: RowId }): Promise<unknown[]>
  filter(rows: readonly Values[], name: string, value: unknown): Values[]
}

/** A model with encrypted columns. */
export interface Encryption {
  readonly cipher: RowCipher
  readonly record: CompiledRecord
  readonly indexes: ReadonlyMap<string, CompiledIndex>
  readonly ids: readonly string[]
  readonly tenant: string | undefined
  /** Id, tenant and subject. */
  readonly identity: readonly string[]
  readonly newId: (() => RowId) | undefined
}

/** What is known of a model of Prisma. */
export interface Model {
  readonly name: string
  readonly scalars: ReadonlySet<string>
  readonly relations: Readonly<Record<string, PrismaRelation>>
  readonly encryption: Encryption | undefined
}

/** How the extension is set up, with the types of the models left aside. */
export interface ModelOptions {
  readonly models: Readonly<Record<string, AnyRecord>>
  readonly relations?: PrismaRelations
  readonly ids?: Readonly<Record<string, (() => RowId) | undefined>>
  readonly tenant?: () => RowId | undefined
}

/** A column as Prisma's `fields` show it. */
interface FieldReference {
  readonly typeName: string
  readonly isList: boolean
}

/** Everything that is known of the models of a client; each is read once. */
export class Models {
  readonly #client: Values
  readonly #ciphers: readonly RowCipher[]
  readonly #options: ModelOptions
  readonly #known = new Map<string, Model>()

  /** @throws ConfigError when a model is not as its record says */
  constructor(client: unknown, records: object, options: ModelOptions) {
    this.#client = client as Values
    this.#ciphers = Object.values(records) as RowCipher[]
    this.#options = options
    for (const name of Object.keys(options.models)) this.get(name)
    for (const [name, relations] of Object.entries(options.relations ?? {})) {
      for (const { model } of [{ model: name }, ...Object.values(relations)]) this.get(model)
    }
    for (const name of Object.keys(options.ids ?? {})) {
      if (options.models[name] === undefined) throw new ConfigError(`ids names ${name}, which is not one of \`models\``)
    }
  }

  /** @throws ConfigError when the client has no such model */
  get(name: string): Model {
    let model = this.#known.get(name)
    if (model === undefined) {
      model = this.#read(name)
      this.#known.set(name, model)
    }
    return model
  }

  /** The tenant of the work at hand, when the application says so. */
  tenant(): RowId | undefined {
    return this.#options.tenant?.()
  }

  /** Whether the application says what the tenant is, so that having none is a mistake. */
  get hasTenant(): boolean {
    return this.#options.tenant !== undefined
  }

  #read(name: string): Model {
    const delegate = this.#client[name.charAt(0).toLowerCase() + name.slice(1)] as { fields?: unknown } | undefined
    const fields = delegate?.fields as Record<string, FieldReference> | undefined
    if (fields === undefined) throw new ConfigError(`this Prisma client has no model ${name}`)
    const scalars = new Set(Object.keys(fields))
    const relations = own(this.#options.relations, name) ?? {}
    for (const relation of Object.keys(relations)) {
      if (scalars.has(relation)) throw new ConfigError(`${name}.${relation} is a column and no relation`)
    }
    const schema = own(this.#options.models, name)
    const encryption = schema && encryptionOf(name, fields, schema, this.#ciphers, own(this.#options.ids, name))
    return { name, scalars, relations, encryption }
  }
}

/** A property of an object's own, whatever it is called. */
export function own<Value>(object: Readonly<Record<string, Value>> | undefined, name: string): Value | undefined {
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined
}

function encryptionOf(
  model: string,
  fields: Record<string, FieldReference>,
  schema: AnyRecord,
  ciphers: readonly RowCipher[],
  newId: (() => RowId) | undefined,
): Encryption {
  const cipher = ciphers.find((one) => one.schema === schema)
  if (cipher === undefined) {
    throw new ConfigError(`the record of model ${model} is not one of \`records\` of this Strongroom`)
  }
  const record = compileRecord(schema)
  const { tenant, subject } = schema.options
  const ids = idColumns(schema.options)
  const identity = [...new Set([...ids, tenant, subject].filter((column) => column !== undefined))]
  for (const column of identity) assertColumn(model, fields, column)
  for (const { name, binary, state } of record.columns.values()) {
    assertColumn(model, fields, name, state === 'plaintext' ? undefined : binary)
  }
  for (const { column, binary } of record.indexes) assertColumn(model, fields, column, binary)
  const indexes = new Map(record.indexes.map((index) => [index.column, index]))
  return { cipher, record, indexes, ids, tenant, identity, newId }
}

function assertColumn(model: string, fields: Record<string, FieldReference>, name: string, binary?: boolean): void {
  const field = Object.keys(fields).includes(name) ? fields[name] : undefined
  if (field === undefined) throw new ConfigError(`model ${model} has no column ${name}: add it to the Prisma schema`)
  if (binary === undefined) return
  const type = binary ? 'Bytes' : 'String'
  if (field.typeName === type && !field.isList) return
  throw new ConfigError(`${model}.${name} must be ${type} in the Prisma schema: it holds what was encrypted`)
}
