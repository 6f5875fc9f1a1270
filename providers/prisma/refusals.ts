import { InvalidInputError } from '../../src/errors.ts'
import type { Encryption, Model, Values } from './models.ts'

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
