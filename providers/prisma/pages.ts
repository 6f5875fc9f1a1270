import type { Condition } from './condition.ts'
import { type Model, type Models, own, type Values } from './models.ts'
import { isObject, refuse, refuseColumns, refuseUnknown } from './refusals.ts'

/** What remains to be done of a pagination when the rows are there. */
export interface Pages {
  /** Drops the rows that an index returned by chance. */
  readonly test?: (row: Values) => boolean
  readonly skip?: number
  readonly take?: number
}

/** Pagination and order, which the database must not do by ciphertexts, nor before other rows are dropped. */
export function rewritePages(
  models: Models,
  model: Model,
  args: Values,
  found: Condition,
): { args: Values; plan: Pages } {
  refuseOrder(models, model, args.orderBy)
  refuseColumns(
    model,
    'distinct',
    listOf(args.distinct).filter((name) => typeof name === 'string'),
  )
  if (isObject(args.cursor)) refuseColumns(model, 'cursor', columnsIn(args.cursor))
  if (found.exact) return { args, plan: {} }
  if (args.distinct !== undefined) {
    refuse(model, 'distinct beside an index that returns other rows as well: drop the duplicates in the application')
  }
  if (args.cursor !== undefined && typeof args.take === 'number' && args.take < 0) {
    refuse(model, 'a negative take with a cursor beside an index that returns other rows as well: order the other way')
  }
  const { skip, take, ...rest } = args
  return {
    args: rest,
    plan: {
      test: found.test,
      ...(typeof skip === 'number' ? { skip } : {}),
      ...(typeof take === 'number' ? { take } : {}),
    },
  }
}

/** Refuses an order by encrypted columns, of the model and of related ones. */
function refuseOrder(models: Models, model: Model, orderBy: unknown): void {
  for (const order of listOf(orderBy)) {
    if (!isObject(order)) continue
    for (const [name, value] of Object.entries(order)) {
      const relation = own(model.relations, name)
      if (model.scalars.has(name)) refuseColumns(model, 'orderBy', [name])
      else if (relation !== undefined) refuseOrder(models, models.get(relation.model), value)
      else if (name === '_relevance')
        refuseColumns(model, 'orderBy', isObject(value) ? (listOf(value.fields) as string[]) : [])
      else if (/^_(count|avg|sum|min|max)$/.test(name))
        refuseColumns(model, 'orderBy', isObject(value) ? Object.keys(value) : [])
      else refuseUnknown(model, name)
    }
  }
}

function columnsIn(cursor: Values): string[] {
  return Object.entries(cursor).flatMap(([name, value]) => (isObject(value) ? Object.keys(value) : [name]))
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value]
}
