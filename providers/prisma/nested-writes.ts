import { type Model, own, type Values } from './models.ts'
import { isObject, isSkip, refuse } from './refusals.ts'
import type { PrismaRelation } from './relations.ts'
import { demanded, rewriteWhere, withTenant } from './where.ts'
import { createData, type NestedWrite, updateData, type Writes } from './writes.ts'

/** Why a condition of a nested write must find the right rows alone. */
const EXACT = 'the database writes to every row that it finds'

/** What one nested write works with. */
interface Nested {
  readonly writes: Writes
  readonly model: Model
  /** The other model. */
  readonly other: Model
  readonly name: string
  readonly relation: PrismaRelation
  /** Columns of the other model that Prisma fills from this row. */
  readonly known: Values
  /** What is known of a row of the other model that this one leads to already. */
  readonly held: Values
  readonly isUpdate: boolean
}

/** Rewrites the nested writes of one relation. */
export const rewriteRelation: NestedWrite = async (writes, { model, row, out, isUpdate }, name, value) => {
  const relation = own(model.relations, name) as PrismaRelation
  const other = writes.models.get(relation.model)
  if (!isObject(value)) refuse(model, `${name} is a relation and takes an object`)
  const known: Values = {}
  for (const [theirs, ours] of Object.entries(relation.there ?? {})) {
    if (row[ours] !== undefined) known[theirs] = row[ours]
  }
  const held: Values = { ...known }
  for (const [ours, theirs] of Object.entries(relation.here ?? {})) {
    if (isUpdate && row[ours] !== undefined) held[theirs] = row[ours]
  }
  const nested: Nested = { writes, model, other, name, relation, known, held, isUpdate }
  const written: Values = {}
  const filled: Values = {}
  out[name] = written
  for (const [operation, argument] of Object.entries(value)) {
    if (argument === undefined || isSkip(argument)) continue
    const work = own(OPERATIONS, operation)
    if (work === undefined)
      refuse(model, `${name}.${operation} is not known here, so what it writes could be plaintext`)
    assertKeepsIdentity(nested, operation)
    written[operation] = await work(nested, argument)
    const target = targetOf(other, operation, argument, written[operation])
    for (const [ours, theirs] of Object.entries(relation.here ?? {})) {
      if (target[theirs] !== undefined) filled[ours] = target[theirs]
    }
  }
  return filled
}

/** What is known of the row that a relation leads to. */
function targetOf(other: Model, operation: string, argument: unknown, written: unknown): Values {
  if (operation === 'connect') return demanded(other, argument)
  if (operation === 'create' && isObject(written)) return written
  if (operation !== 'connectOrCreate' || !isObject(argument) || !isObject(written) || !isObject(written.create))
    return {}
  const { create } = written
  const found = Object.entries(demanded(other, argument.where))
  return Object.fromEntries(found.filter(([name, value]) => create[name] === value))
}

const OPERATIONS: Readonly<Record<string, (nested: Nested, argument: unknown) => Promise<unknown>>> = {
  create: ({ writes, other, known }, argument) =>
    every(argument, async (data) => createData(writes, other, data, known)),
  createMany: async ({ writes, other, known }, argument) => {
    const { data, ...rest } = argument as Values
    return { ...rest, data: await every(data, async (one) => createData(writes, other, one, known)) }
  },
  connectOrCreate: ({ writes, other, known }, argument) =>
    every(argument, async (one) => {
      const { where, create } = one as Values
      return { where: await find(writes, other, where), create: await createData(writes, other, create, known) }
    }),
  connect: ({ writes, other }, argument) => every(argument, (where) => find(writes, other, where)),
  set: ({ writes, other }, argument) => every(argument, (where) => find(writes, other, where)),
  disconnect: ({ writes, other }, argument) => every(argument, (where) => find(writes, other, where)),
  delete: ({ writes, other }, argument) => every(argument, (where) => find(writes, other, where)),
  deleteMany: ({ writes, other }, argument) => every(argument, (where) => find(writes, other, where)),
  update: (nested, argument) =>
    every(argument, async (one) => {
      const { writes, other, held, name } = nested
      const isWrapped = isObject(one) && Object.hasOwn(one, 'data') && !other.scalars.has('data')
      const { where, data } = (isWrapped ? one : { data: one }) as Values
      const found = where === undefined || isSkip(where) ? tenantAlone(nested) : ofTenant(writes, other, where)
      const demands = { ...held, ...demanded(other, found) }
      const change = await updateData(writes, other, data, demands, (identity) => {
        return `the nested update must say ${identity} exactly, as \`${name}: { update: { where: { … }, data: { … } } }\`; or update ${other.name} by a call of its own`
      })
      if (found === undefined) return isWrapped ? { data: change } : change
      return { where: await find(writes, other, found), data: change }
    }),
  updateMany: ({ writes, other, known }, argument) =>
    every(argument, async (one) => {
      const { where, data, ...rest } = one as Values
      const change = await updateData(writes, other, data, {
        ...known,
        ...demanded(other, ofTenant(writes, other, where)),
      })
      return { ...rest, where: await find(writes, other, where), data: change }
    }),
  upsert: ({ writes, other, known }, argument) =>
    every(argument, async (one) => {
      const { where, create, update } = one as Values
      return {
        ...(where === undefined ? {} : { where: await find(writes, other, where) }),
        create: await createData(writes, other, create, known),
        update: await updateData(writes, other, update, {
          ...known,
          ...demanded(other, ofTenant(writes, other, where)),
        }),
      }
    }),
}

async function find(writes: Writes, other: Model, where: unknown): Promise<unknown> {
  if (!isObject(where)) return where // `true`, for a relation to one row
  const { models } = writes
  return (await rewriteWhere(other, ofTenant(writes, other, where), { models, exact: EXACT })).where
}

/**
 * The `where` of an update of a relation to one row that has none: the row that it leads to may be of another tenant, which
 * then is not found.
 */
function tenantAlone({ writes: { models }, other }: Nested): Values | undefined {
  const column = other.encryption?.tenant
  const tenant = column === undefined ? undefined : models.tenant()
  return tenant === undefined ? undefined : { [column as string]: tenant }
}

/** A relation to one row takes no `where`, and is followed from a row of the tenant. */
function ofTenant({ models }: Writes, other: Model, where: unknown): unknown {
  return isObject(where) ? withTenant(models, other, where) : where
}

/** Refuses to move a row to another parent when its values are bound to that parent. */
function assertKeepsIdentity({ model, other, name, relation, isUpdate }: Nested, operation: string): void {
  if (!['connect', 'connectOrCreate', 'set', 'disconnect', 'create', 'upsert'].includes(operation)) return
  const ours = Object.keys(relation.here ?? {}).filter((column) => model.encryption?.identity.includes(column))
  const theirs = Object.keys(relation.there ?? {}).filter((column) => other.encryption?.identity.includes(column))
  const movesUs = isUpdate && ours.length > 0
  const movesThem = theirs.length > 0 && ['connect', 'connectOrCreate', 'set', 'disconnect'].includes(operation)
  if (!movesUs && !movesThem) return
  const columns = (movesUs ? ours : theirs).join(', ')
  refuse(
    model,
    `${name}.${operation} changes ${columns}, to which every value of the row is bound; make a new row and delete the old one`,
  )
}

async function every(argument: unknown, work: (one: unknown) => Promise<unknown>): Promise<unknown> {
  if (!Array.isArray(argument)) return work(argument)
  const out: unknown[] = []
  for (const one of argument) out.push(await work(one))
  return out
}
