import type { Model, ModelStatic, Sequelize } from 'sequelize'
import { ConfigError } from '../../src/errors.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import type { NamedTable } from '../../src/mapping/query-text.ts'
import { EncryptedType } from './columns.ts'

/** What is known of a model with encrypted columns. */
export interface Encrypted {
  readonly model: ModelStatic<Model>
  readonly record: MappedRecord
  readonly named: NamedTable
}

/** The models with encrypted columns of one Sequelize. */
export class Registry {
  readonly #byModel = new Map<unknown, Encrypted>()

  get all(): Iterable<Encrypted> {
    return this.#byModel.values()
  }

  /** @throws ConfigError, InvalidInputError when model and record do not fit */
  add(model: ModelStatic<Model>, cipher: AnyCipher): Encrypted {
    const encrypted = describeModel(model, new MappedRecord(cipher))
    this.#byModel.set(model, encrypted)
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
  const { dialect } = dialectOf(model.sequelize)
  const isMysql = dialect === 'mysql' || dialect === 'mariadb'
  const backslash = isMysql ? 'escape' : 'character'
  return { model, record, named: { record, table: model.tableName, columns, backslash, unquoted: true } }
}

function keyOf(type: unknown): unknown {
  return (type as { key?: unknown }).key
}

const DIALECTS = ['postgres', 'mysql', 'mariadb', 'sqlite']

function dialectOf(sequelize: Sequelize | undefined): { dialect: string } {
  const dialect = sequelize?.getDialect()
  if (dialect === undefined || !DIALECTS.includes(dialect)) {
    throw new ConfigError(`strongroom/sequelize reads the SQL of ${DIALECTS.join(', ')}, and not of ${dialect}`)
  }
  return { dialect }
}
