import type { UpdateEachOptions } from './extension-types.ts'
import type { Model, Values } from './models.ts'
import { refuse } from './refusals.ts'

/** A model of an extended client, of a transaction when it is called in one. */
interface Delegate {
  readonly $name?: string
  readonly $parent?: {
    $transaction?: (
      work: (client: Record<string, Delegate>) => Promise<{ count: number }>,
      options?: UpdateEachOptions,
    ) => Promise<{ count: number }>
  }
  findMany(args: Values): Promise<Values[]>
  updateMany(args: Values): Promise<{ count: number }>
}

/** The method `updateEach` of one model. */
export function updateEach(model: Model) {
  const columns = model.encryption?.identity ?? []
  const select = Object.fromEntries(columns.map((name) => [name, true]))
  const key = model.name.charAt(0).toLowerCase() + model.name.slice(1)

  async function work(delegate: Delegate, { where = {}, data }: Values): Promise<{ count: number }> {
    let count = 0
    for (const row of await delegate.findMany({ where, select })) {
      const identity = Object.fromEntries(columns.map((name) => [name, row[name]]))
      // The condition once more: another writer may have changed the row since it was found.
      count += (await delegate.updateMany({ where: { AND: [where, identity] }, data })).count
    }
    return { count }
  }

  return async function (this: Delegate, args: Values, options?: UpdateEachOptions): Promise<{ count: number }> {
    if (columns.length === 0) refuse(model, 'updateEach needs a record with an id')
    const transaction = this.$parent?.$transaction
    if (transaction === undefined) return work(this, args)
    return transaction.call(this.$parent, (client) => work(client[key] as Delegate, args), options)
  }
}
