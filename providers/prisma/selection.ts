import { type Model, type Models, own, type Values } from './models.ts'
import { type Pages, rewritePages } from './pages.ts'
import { isEncrypted, isObject, isSkip, refuse, refuseUnknown } from './refusals.ts'
import { rewriteWhere } from './where.ts'

/** What has to be done with rows when they come back. */
export interface Plan extends Pages {
  readonly model: Model
  /** Columns that were read for us, and that the caller did not ask for. */
  readonly extra: readonly string[]
  /** Properties that were asked for and are neither column nor known relation. */
  readonly unknown: readonly string[]
  readonly related: ReadonlyMap<string, Plan>
}

/** Arguments as Prisma gets them, and what to do with the answer. */
export interface Selected {
  readonly args: Values
  readonly plan: Plan
}

/**
 * Rewrites `select`, `include` and `omit`: what is needed to decrypt is read as well, index columns are not read.
 *
 * @param reads columns that are needed to test the rows
 */
export async function rewriteSelection(
  models: Models,
  model: Model,
  args: Values,
  reads: readonly string[] = [],
): Promise<Selected> {
  const related = new Map<string, Plan>()
  const unknown: string[] = []
  const { select, include, omit, ...rest } = args
  const relations = async (wanted: Values): Promise<Values> => {
    const out: Values = {}
    for (const [name, value] of Object.entries(wanted)) {
      if (isSkip(value)) continue
      if (name === '_count') out[name] = await rewriteCounts(models, model, value)
      else if (!value || (value === true && model.scalars.has(name))) out[name] = value
      else if (own(model.relations, name) !== undefined)
        out[name] = await rewriteRelated(models, model, name, value, related)
      else if (include !== undefined || typeof value === 'object') refuseUnknown(model, name)
      else {
        unknown.push(name) // a field that another extension computes, or a relation: the answer will tell
        out[name] = value
      }
      if (value === true) refuseIndex(model, name)
    }
    return out
  }
  if (isObject(select)) {
    const rewritten = await relations(select)
    const needed = neededBy(model, select, unknown.length > 0, reads)
    const extra = needed.filter((name) => select[name] !== true)
    for (const name of extra) rewritten[name] = true
    return { args: { ...rest, select: rewritten }, plan: { model, extra, unknown, related } }
  }
  const omitted = isObject(omit) ? omit : {}
  const needed = [...(model.encryption?.identity ?? []), ...reads]
  const extra = needed.filter((name) => omitted[name] === true)
  const left = Object.fromEntries(Object.entries(omitted).filter(([name]) => !extra.includes(name)))
  // The client may omit columns from every answer, which extensions are not told.
  for (const name of needed) left[name] = false
  for (const name of model.encryption?.indexes.keys() ?? []) left[name] = true
  return {
    args: {
      ...rest,
      ...(isObject(include) ? { include: await relations(include) } : {}),
      ...(Object.keys(left).length > 0 ? { omit: left } : {}),
    },
    plan: { model, extra, unknown, related },
  }
}

/** The columns that decrypting needs, when anything is decrypted. */
function neededBy(model: Model, select: Values, anything: boolean, reads: readonly string[]): string[] {
  const decrypts =
    anything ||
    reads.length > 0 ||
    Object.keys(select).some((name) => select[name] === true && isEncrypted(model, name))
  return decrypts ? [...new Set([...(model.encryption?.identity ?? []), ...reads])] : []
}

async function rewriteRelated(models: Models, model: Model, name: string, value: unknown, related: Map<string, Plan>) {
  const other = models.get((own(model.relations, name) as { model: string }).model)
  const given = isObject(value) ? value : {}
  const { where, ...rest } = given
  const found = await rewriteWhere(other, where, { models })
  const pages = rewritePages(models, other, rest, found)
  const selected = await rewriteSelection(models, other, pages.args, found.exact ? [] : found.reads)
  related.set(name, { ...selected.plan, ...pages.plan })
  const args = where === undefined ? selected.args : { ...selected.args, where: found.where }
  return Object.keys(args).length === 0 ? true : args
}

async function rewriteCounts(models: Models, model: Model, value: unknown): Promise<unknown> {
  if (!isObject(value) || !isObject(value.select)) return value
  const select: Values = {}
  for (const [name, counted] of Object.entries(value.select)) {
    const relation = own(model.relations, name)
    if (!isObject(counted) || counted.where === undefined) select[name] = counted
    else if (relation === undefined) refuseUnknown(model, name)
    else {
      const exact = 'the database counts'
      select[name] = { where: (await rewriteWhere(models.get(relation.model), counted.where, { models, exact })).where }
    }
  }
  return { ...value, select }
}

function refuseIndex(model: Model, name: string): void {
  if (model.encryption?.indexes.has(name)) {
    refuse(
      model,
      `select ${name}: it is an index, from which nothing can be read; search by the column that it indexes`,
    )
  }
}
