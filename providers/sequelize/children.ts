import type { Association, Model, ModelStatic } from 'sequelize'
import { InvalidInputError } from '../../src/errors.ts'
import type { Registry } from './registry.ts'

/** Which column of one model holds which of another one: Sequelize has both, its types have the one. */
type Linked = Association & { readonly sourceKey?: string; readonly targetKey?: string }

/**
 * Refuses to change a column of a model without a record, from which encrypted rows have their id, tenant or subject: a foreign
 * key with `on update cascade`, as Sequelize makes it, would change those with it, and their values would not decrypt.
 */
export function assertKeepsChildren(registry: Registry, model: ModelStatic<Model>, changed: readonly string[]): void {
  const refuse = (column: string | undefined, child: unknown, foreignKey: string) => {
    const record = registry.find(child)?.record
    if (column === undefined || !changed.includes(column) || record?.identity.includes(foreignKey) !== true) return
    throw new InvalidInputError(
      `${model.name}.${column} cannot be changed: rows of ${record.name} have their ${foreignKey} from it, to which every value of theirs is bound. Make a new row, and their rows anew`,
    )
  }
  for (const { associationType, sourceKey, target, foreignKey } of Object.values(model.associations) as Linked[]) {
    if (/^Has(One|Many)$/.test(associationType)) refuse(sourceKey, target, foreignKey)
  }
  for (const { model: child } of registry.all) {
    for (const { associationType, targetKey, target, foreignKey } of Object.values(child.associations) as Linked[]) {
      if (associationType === 'BelongsTo' && isSame(model, target)) refuse(targetKey, child, foreignKey)
    }
  }
}

/** Also as `scope()` and `schema()` return it. */
function isSame(model: ModelStatic<Model>, target: ModelStatic<Model>): boolean {
  return model === target || model.prototype instanceof target
}
