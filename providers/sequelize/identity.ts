import type { Model, ModelStatic, Transaction } from 'sequelize'
import { InvalidInputError } from '../../src/errors.ts'
import type { Encrypted } from './registry.ts'

/** The identity that instances have in the database, as it was when they were loaded or written. */
const identities = new WeakMap<Model, readonly string[]>()

/** Says that the row of an instance is in the database, with this identity, or the one that the instance has now. */
export function remember(
  { record }: Encrypted,
  instance: Model,
  identity: readonly string[] = identityOf(record.identity, instance),
): void {
  identities.set(instance, identity)
}

/** Proves that the row of an instance has the identity that its values are to be encrypted for. */
export async function assertSameRow(
  { record }: Encrypted,
  instance: Model,
  options: { readonly transaction?: Transaction | null },
): Promise<void> {
  const values = instance.dataValues as Record<string, unknown>
  const missing = record.identity.filter((name) => values[name] === undefined || values[name] === null)
  if (missing.length > 0) throw record.unknownRow(missing)
  if (record.identity.length === 0) return
  const known = identities.get(instance)
  if (known !== undefined && hasIdentity(record.identity, instance, known)) return
  if (known !== undefined) throw record.changedIdentity(record.identity.join(' or '))
  const where = Object.fromEntries(record.identity.map((name) => [name, values[name]]))
  const model = instance.constructor as ModelStatic<Model>
  const found = await model.unscoped().count({
    where,
    paranoid: false,
    ...(options.transaction === undefined ? {} : { transaction: options.transaction }),
  })
  if (found !== 1) {
    throw new InvalidInputError(
      `there is no row of ${record.name} with the ${record.identity.join(' and ')} of this instance, which was not read from the database`,
    )
  }
  identities.set(instance, identityOf(record.identity, instance))
}

/** The id, tenant and subject of an instance. */
export function identityOf(identity: readonly string[], instance: Model): readonly string[] {
  const values = instance.dataValues as Record<string, unknown>
  return identity.map((name) => String(values[name]))
}

/** Whether an instance has this id, tenant and subject now. */
export function hasIdentity(identity: readonly string[], instance: Model, known: readonly string[]): boolean {
  const values = instance.dataValues as Record<string, unknown>
  for (let at = 0; at < identity.length; at++) if (String(values[identity[at] as string]) !== known[at]) return false
  return true
}
