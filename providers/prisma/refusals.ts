import { InvalidInputError } from '../../src/errors.ts'
import type { Encryption, Model, Models, Values } from './models.ts'

/** Refuses what would bypass encryption, or cannot work on encrypted columns. */
export function refuse(model: Model, what: string): never {
  throw new InvalidInputError(`${model.name}: ${what}`)
}

/** Refuses a property that is no column and no known relation: what is behind it could be encrypted. */
export function refuseUnknown(model: Model, name: string): never {
  refuse(
    model,
    `${name} is no column and no relation that is known here: give \`relations: prismaRelations(schema)\` with it`,
  )
}

/** Whether a column is encrypted now; columns still in plaintext are queried as any other. */
export function isEncrypted({ encryption }: Model, name: string): boolean {
  const column = encryption?.record.columns.get(name)
  return column !== undefined && column.state !== 'plaintext'
}

/** How the values of a column can be found, in words. */
export function searchHint({ record }: Encryption, field: string): string {
  const columns = record.indexes
    .filter(({ parts }) => parts.some((part) => part.field === field))
    .map(({ column, parts }) => {
      const where = parts.map((part) => `${part.field}: …`).join(', ')
      return `${column} (\`where: { ${where} }\`)`
    })
  if (columns.length === 0) return 'it has no index: declare one, or decrypt and compare in the application'
  return `use its index ${columns.join(' or ')}, which finds equal values`
}

/**
 * Refuses columns in a place where the database would compare, order or count ciphertexts.
 *
 * @param place for example `orderBy`
 */
export function refuseColumns(model: Model, place: string, names: readonly string[]): void {
  const { encryption } = model
  if (encryption === undefined) return
  for (const name of names) {
    if (encryption.indexes.has(name)) refuse(model, `${place} ${name}: it is an index, and its order means nothing`)
    if (isEncrypted(model, name)) {
      refuse(
        model,
        `${place} ${name}: the column is encrypted, so the database cannot order, group or count its values; do it in the application, or keep a coarse plaintext column beside it`,
      )
    }
  }
}

/** Whether a value is an object of names and values, and not a Date, bytes or a list. */
export function isObject(value: unknown): value is Values {
  return Object.prototype.toString.call(value) === '[object Object]'
}

/** Whether a value is `Prisma.skip`, which says that nothing is given. Known by its form: each generated client has its own. */
export function isSkip(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) === Object.prototype) return false
  return typeof (value as Values).ifUndefined === 'function' && Object.keys(value).length === 0
}

/** A column of a model in the place of a value, as `db.user.fields.email` gives it. */
export interface Reference {
  readonly modelName: string
  readonly name: string
}

export function isReference(value: unknown): value is Reference {
  if (!isObject(value) || Object.getPrototypeOf(value) === Object.prototype) return false
  return [value.modelName, value.name, value.typeName].every((part) => typeof part === 'string')
}

/** Refuses to compare a column with an encrypted one, `{ equals: db.user.fields.email }`, at any depth. */
export function refuseReferences(models: Models, model: Model, column: string, value: unknown): void {
  if (isReference(value)) {
    const other = models.get(value.modelName)
    if (!isEncrypted(other, value.name) && !other.encryption?.indexes.has(value.name)) return
    refuse(
      model,
      `where ${column}: it would be compared with ${value.name}, which is encrypted, differently each time; read the rows, and compare what they hold`,
    )
  }
  for (const inner of isObject(value) ? Object.values(value) : Array.isArray(value) ? value : []) {
    refuseReferences(models, model, column, inner)
  }
}
