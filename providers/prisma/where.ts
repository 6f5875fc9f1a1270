import { ALWAYS, allOf, anyOf, type Condition, plainCondition } from './condition.ts'
import { type Model, type Models, own, type Values } from './models.ts'
import { isEncrypted, isSkip, refuse, refuseReferences, refuseUnknown } from './refusals.ts'
import { searchFields } from './search.ts'

/** Where a condition stands. */
export interface Place {
  readonly models: Models
  /** The tenant of everything around it, when that is known. */
  readonly tenant?: unknown
  /** Why rows that an index returns by chance cannot be dropped here; undefined where they can. */
  readonly exact?: string
  /** Why encrypted columns cannot be asked for here at all. */
  readonly refused?: string
}

/** Operators of Prisma that are about rows of another model. */
const RELATED: Readonly<Record<string, string | undefined>> = {
  some: undefined,
  none: undefined,
  is: undefined,
  every: 'an index says nothing about the values that are not equal',
  isNot: 'an index says nothing about the values that are not equal',
}

/**
 * Rewrites a `where`: equality on an encrypted column becomes its index, everything else about it is refused.
 *
 * @throws InvalidInputError with the reason, naming the index to use
 */
export async function rewriteWhere(model: Model, where: unknown, place: Place): Promise<Condition> {
  if (where === undefined || where === null || isSkip(where)) return ALWAYS
  const parts: Condition[] = []
  const searched: Values = {}
  const here = { ...place, tenant: ownTenant(model, where) ?? place.tenant }
  for (const [name, value] of Object.entries(where)) {
    // Prisma ignores it, or refuses it where it checks strictly, so that a forgotten value finds no other rows.
    if (isSkip(value)) continue
    if (value === undefined) parts.push({ ...ALWAYS, where: { [name]: value } })
    else if (name === 'AND') parts.push(allOf(await each(value, (one) => rewriteWhere(model, one, here))))
    else if (name === 'OR') parts.push(await rewriteOr(model, value, here))
    else if (name === 'NOT') parts.push(await rewriteNot(model, value, here))
    else if (isVisibleNull(model, name, value)) parts.push(plainCondition({ [name]: value }))
    else if (isEncrypted(model, name) || model.encryption?.indexes.has(name)) searched[name] = value
    else if (model.scalars.has(name)) {
      refuseReferences(place.models, model, name, value)
      parts.push(plainCondition({ [name]: value }))
    } else parts.push(plainCondition({ [name]: await rewriteRelated(model, name, value, here) }))
  }
  if (Object.keys(searched).length > 0) parts.push(await search(model, searched, here))
  return allOf(parts)
}

/** The values that a `where` demands of columns, by equality: what it says for certain about the rows it finds. */
export function demanded(model: Model, where: unknown): Values {
  const out: Values = {}
  if (typeof where !== 'object' || where === null) return out
  for (const [name, value] of Object.entries(where as Values)) {
    if (name === 'AND') {
      for (const one of Array.isArray(value) ? value : [value]) Object.assign(out, demanded(model, one))
    } else if (model.scalars.has(name)) {
      const demands = isEquals(value) ? value.equals : value
      if (isScalar(demands)) out[name] = demands
    } else if (
      !['OR', 'NOT'].includes(name) &&
      own(model.relations, name) === undefined &&
      isCompoundKey(model, value)
    ) {
      Object.assign(out, value)
    }
  }
  return out
}

/**
 * A `where` that finds rows of the tenant of the work at hand alone.
 *
 * @throws InvalidInputError when it demands another one, or when neither it nor the work has one
 */
export function withTenant(models: Models, model: Model, where: unknown): unknown {
  const column = model.encryption?.tenant
  if (column === undefined || !models.hasTenant) return where
  const tenant = models.tenant()
  const given = (where ?? {}) as Values
  const said = demanded(model, given)[column]
  if (tenant === undefined && said !== undefined) return where
  if (tenant === undefined) {
    refuse(
      model,
      `where without ${column}: \`tenant\` says no tenant, and rows of all of them would be found. Prisma runs a query when it is awaited, so await it where the tenant is known; work for all tenants takes a client that is extended without \`tenant\``,
    )
  }
  if (said === undefined) {
    if (given[column] === undefined) return { ...given, [column]: tenant }
    // Beside a condition of another kind, such as `not`, and never in its place.
    const all = given.AND === undefined ? [] : Array.isArray(given.AND) ? given.AND : [given.AND]
    return { ...given, AND: [...all, { [column]: tenant }] }
  }
  if (String(said) === String(tenant)) return where
  refuse(model, `where ${column}: it is not the tenant of this work, which \`tenant\` says`)
}

/** The tenant that a `where` demands. */
function ownTenant(model: Model, where: unknown): unknown {
  const column = model.encryption?.tenant
  return column === undefined ? undefined : demanded(model, where)[column]
}

async function search(model: Model, searched: Values, place: Place): Promise<Condition> {
  const { encryption } = model
  if (encryption === undefined) return ALWAYS
  const names = Object.keys(searched).join(', ')
  if (place.refused !== undefined) refuse(model, `${names} under ${place.refused}`)
  const scoped = place.tenant === undefined && encryption.tenant !== undefined ? place.models.tenant() : undefined
  const found = await searchFields(model, encryption, searched, place.tenant ?? scoped)
  if (place.exact !== undefined && !found.exact) {
    refuse(
      model,
      `where ${names}: ${place.exact}, and this index returns other rows as well. Find the rows with findMany and go on by their ids, or declare the index \`unique: true\``,
    )
  }
  return scoped === undefined ? found : allOf([found, plainCondition({ [encryption.tenant as string]: scoped })])
}

async function rewriteOr(model: Model, value: unknown, place: Place): Promise<Condition> {
  const any = anyOf(await each(value, (one) => rewriteWhere(model, one, place)))
  return (
    any ??
    refuse(
      model,
      'OR between an encrypted column and others: an index that returns other rows as well can be filtered only when every branch is about encrypted columns; make two queries, or declare the index `unique: true`',
    )
  )
}

async function rewriteNot(model: Model, value: unknown, place: Place): Promise<Condition> {
  const refused = 'NOT: an index says nothing about the values that are not equal'
  const parts = await each(value, (one) => rewriteWhere(model, one, { ...place, refused }))
  return plainCondition({ NOT: parts.map(({ where }) => where) })
}

/** A condition on related rows, or a compound unique key. */
async function rewriteRelated(model: Model, name: string, value: unknown, place: Place): Promise<unknown> {
  const relation = own(model.relations, name)
  if (relation === undefined) return compoundKey(model, name, value)
  if (typeof value !== 'object' || value === null) return value
  const other = place.models.get(relation.model)
  const exact = `it is about rows of ${model.name}`
  const related = { ...place, exact, tenant: undefined }
  const keys = Object.keys(value)
  if (!keys.every((key) => Object.hasOwn(RELATED, key))) return (await rewriteWhere(other, value, related)).where
  const out: Values = {}
  for (const key of keys) {
    const inner = (value as Values)[key]
    const reason = RELATED[key] ?? place.refused
    const at = reason === undefined ? related : { ...related, refused: `${key}: ${reason}` }
    out[key] = inner === null ? null : (await rewriteWhere(other, inner, at)).where
  }
  return out
}

/** A compound unique key, as `orgId_id: { orgId, id }`. */
function isCompoundKey(model: Model, value: unknown): value is Values {
  if (typeof value !== 'object' || value === null) return false
  const columns = Object.keys(value)
  return (
    columns.length > 1 && columns.every((column) => model.scalars.has(column)) && Object.values(value).every(isScalar)
  )
}

function compoundKey(model: Model, name: string, value: unknown): Values {
  if (!isCompoundKey(model, value)) refuseUnknown(model, name)
  const columns = Object.keys(value)
  const encrypted = columns.find((column) => isEncrypted(model, column) || model.encryption?.indexes.has(column))
  if (encrypted === undefined) return value
  const where = columns.map((column) => `${column}: …`).join(', ')
  refuse(
    model,
    `${name}: ${encrypted} has a tag for each index key in use; search with findFirst({ where: { ${where} } })`,
  )
}

function isEquals(value: unknown): value is { equals: unknown } {
  return (
    typeof value === 'object' && value !== null && Object.hasOwn(value, 'equals') && Object.keys(value).length === 1
  )
}

/** Whether it asks for a null that the database shows. */
function isVisibleNull({ encryption }: Model, name: string, value: unknown): boolean {
  if (encryption?.record.columns.get(name)?.visibleNull !== true) return false
  if (value === null) return true
  const keys = typeof value === 'object' ? Object.keys(value) : []
  return (
    keys.length === 1 && ['equals', 'not'].includes(keys[0] as string) && Object.values(value as Values)[0] === null
  )
}

async function each(value: unknown, rewrite: (one: unknown) => Promise<Condition>): Promise<Condition[]> {
  return Promise.all((Array.isArray(value) ? value : [value]).map(rewrite))
}

function isScalar(value: unknown): boolean {
  return (
    ['string', 'number', 'bigint', 'boolean'].includes(typeof value) ||
    value instanceof Date ||
    value instanceof Uint8Array
  )
}
