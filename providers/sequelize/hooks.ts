import type { Model, ModelStatic, Sequelize } from 'sequelize'
import { assertKeepsChildren } from './children.ts'
import type { Encrypted } from './registry.ts'
import { Registry } from './registry.ts'
import {
  INSTANCES,
  onConflict,
  sealChanged,
  sealNew,
  sealUpdate,
  unseal,
  validateNew,
  type WriteOptions,
} from './seal.ts'
import { assertWatched, watchStatement } from './statement.ts'

type Options = WriteOptions & { readonly model: unknown }

/** The part of a Sequelize that takes hooks, which it then runs after those of the models. */
interface Hooked {
  addHook(type: string, hook: (first: never, second: never) => unknown): unknown
}

const registries = new WeakMap<Sequelize, Registry>()

/** The models with encrypted columns of a Sequelize. The first call adds the hooks that encrypt and decrypt. */
export function registryOf(sequelize: Sequelize): Registry {
  const known = registries.get(sequelize)
  if (known !== undefined) return known
  const registry = new Registry()
  registries.set(sequelize, registry)
  addHooks(sequelize as unknown as Hooked, registry)
  return registry
}

function addHooks(sequelize: Hooked, registry: Registry): void {
  const of = (instance: Model) => registry.find(instance.constructor)
  const unsealed = (instance: Model) => {
    const encrypted = of(instance)
    if (encrypted !== undefined) unseal(encrypted, instance)
  }
  sequelize.addHook('beforeCreate', async (instance: Model, options: WriteOptions) => {
    const encrypted = of(instance)
    if (encrypted !== undefined) await sealNew(encrypted, [instance], options)
  })
  sequelize.addHook('beforeUpdate', async (instance: Model, options: WriteOptions) => {
    const encrypted = of(instance)
    if (encrypted !== undefined) await sealChanged(encrypted, instance, options)
    else assertKeepsChildren(registry, instance.constructor as ModelStatic<Model>, instance.changed() || [])
  })
  sequelize.addHook('beforeBulkCreate', async (instances: readonly Model[], options: Options) => {
    const encrypted = registry.find(options.model)
    if (encrypted !== undefined && options.individualHooks !== true) await sealMany(encrypted, instances, options)
  })
  sequelize.addHook('beforeBulkUpdate', async (options: Options) => {
    const encrypted = registry.find(options.model)
    if (encrypted !== undefined) await sealUpdate(encrypted, options)
    else assertKeepsChildren(registry, options.model as ModelStatic<Model>, Object.keys(options.attributes ?? {}))
  })
  sequelize.addHook('beforeUpsert', (_values: unknown, options: Options) => {
    const encrypted = registry.find(options.model)
    if (encrypted !== undefined) throw onConflict(encrypted, encrypted.record.fields.values().next().value as string)
  })
  sequelize.addHook('afterCreate', unsealed)
  sequelize.addHook('afterUpdate', unsealed)
  sequelize.addHook('afterBulkCreate', (instances: readonly Model[]) => instances.forEach(unsealed))
  sequelize.addHook('beforeQuery', (_options: unknown, query: never) => watchStatement(registry, query))
  sequelize.addHook('afterQuery', (_options: unknown, query: never) => assertWatched(query))
}

async function sealMany(encrypted: Encrypted, instances: readonly Model[], options: Options): Promise<void> {
  await validateNew(instances, options)
  await sealNew(encrypted, instances, options)
  options[INSTANCES] = instances
}
