import type { Model, ModelStatic, Sequelize } from 'sequelize'
import { ConfigError } from '../../src/errors.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import type { NamedTable } from '../../src/mapping/query-text.ts'
import type { Backslash } from '../../src/mapping/sql-text.ts'
import { EncryptedType } from './columns.ts'

/** What is known of a model with encrypted columns. */
export interface Encrypted {
  readonly model: ModelStatic<Model>
  readonly record: MappedRecord
  readonly named: NamedTable
  /** Names in the database of its fields, by the fields. */
  readonly fields: readonly (readonly [field: string, column: string])[]
  /** Names in the database of its fields and index columns. */
  readonly stored: ReadonlySet<string>
}

/** The models with encrypted columns of one Sequelize. */
export class Registry {
  readonly #byModel = new Map<unknown, Encrypted>()

  get all(): Iterable<Encrypted> {
    return this.#byModel.values()
  }

  /** Whether a table is that of a record, whatever model asks: some databases take other letters for the same table. */
  hasTable(table: string | undefined): boolean {
    return [...this.all].some(({ named }) => named.table.toLowerCase() === table?.toLowerCase())
  }

  /** @throws ConfigError, InvalidInputError when model and record do not fit */
  add(model: ModelStatic<Model>, cipher: AnyCipher): Encrypted {
    const encrypted = describeModel(model, new MappedRecord(cipher))
    const others = [...this.all].filter((other) => other.model !== model && isSameTable(other, encrypted))
    const foreign = others.find(({ record }) => record.name !== encrypted.record.name)
    if (foreign !== undefined) {
      throw new ConfigError(
        `models ${foreign.model.name} and ${model.name} have one table, and the records ${foreign.record.name} and ${encrypted.record.name}: neither could read what the other writes, so give both the same record`,
      )
    }
    for (const one of [...others, encrypted]) this.#byModel.set(one.model, withColumnsOf([...others, encrypted], one))
    return encrypted
  }

  /** Finds a model, also as `scope()` and `schema()` return it, which is a class that extends it. */
  find(model: unknown): Encrypted | undefined {
    for (let at: unknown = model; typeof at === 'function'; at = Object.getPrototypeOf(at)) {
      const found = this.#byModel.get(at)
      if (found !== undefined) return found
    }
    return undefined
  }
}

function isSameTable(one: Encrypted, other: Encrypted): boolean {
  const [here, there] = [one, other].map(({ model }) => {
    const table = model.getTableName()
    return typeof table === 'string' ? ['', table] : [table.schema, table.tableName]
  })
  return JSON.stringify(here).toLowerCase() === JSON.stringify(there).toLowerCase()
}

/** A model whose statements may be about columns that only other models of its table have. */
function withColumnsOf(models: readonly Encrypted[], one: Encrypted): Encrypted {
  const known = new Set([...one.named.columns.values()].map((name) => name.toLowerCase()))
  const spellings = models.flatMap(({ named }) =>
    [...named.columns].filter(([, name]) => !known.has(name.toLowerCase())),
  )
  return spellings.length === 0 ? one : { ...one, named: { ...one.named, spellings } }
}

function describeModel(model: ModelStatic<Model>, record: MappedRecord): Encrypted {
  const attributes = Object.entries(model.getAttributes()).filter(([, { type }]) => keyOf(type) !== 'VIRTUAL')
  const columns = new Map(attributes.map(([name, { field }]) => [name, field ?? name]))
  for (const name of [...record.identity, ...record.fields, ...record.indexColumns]) {
    if (!columns.has(name)) throw new ConfigError(`model ${model.name} has no attribute ${name}`)
  }
  for (const [name, { type }] of attributes) {
    const isOurs = record.isEncrypted(name) || record.indexColumns.has(name)
    if (!isOurs && !record.isDeclared(name)) throw record.undeclared(name)
    if (isOurs && !(type instanceof EncryptedType)) {
      throw new ConfigError(
        `${model.name}.${name} is not made by encryptedAttributes(), so it would be written as it is`,
      )
    }
  }
  const backslash = backslashOf(model.sequelize as Sequelize)
  const named = { record, table: model.tableName, columns, unquoted: true }
  const fields = [...record.fields].map((name) => [name, columns.get(name) as string] as const)
  const stored = new Set(record.written.map((name) => columns.get(name) as string))
  return { model, record, named: backslash === undefined ? named : { ...named, backslash }, fields, stored }
}

function keyOf(type: unknown): unknown {
  return (type as { key?: unknown }).key
}

const BACKSLASHES: Readonly<Record<string, Backslash>> = {
  postgres: 'character',
  mysql: 'escape',
  mariadb: 'escape',
  sqlite: 'character',
}

/** What a backslash in a literal is. @throws ConfigError for a dialect that is not known here */
function backslashOf(sequelize: Sequelize): Backslash | undefined {
  const dialect = sequelize.getDialect()
  const backslash = BACKSLASHES[dialect]
  if (backslash === undefined) {
    const known = Object.keys(BACKSLASHES).join(', ')
    throw new ConfigError(`strongroom/sequelize reads the SQL of ${known}, and not of ${dialect}`)
  }
  const { options } = sequelize as unknown as { options?: { standardConformingStrings?: boolean } }
  return options?.standardConformingStrings === false ? undefined : backslash
}
