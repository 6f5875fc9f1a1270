import type { Condition } from './condition.ts'
import { type Model, type Models, own, type Values } from './models.ts'
import { rewriteRelation } from './nested-writes.ts'
import { rewritePages } from './pages.ts'
import { isObject, isReference, isSkip, refuse, refuseColumns } from './refusals.ts'
import { decryptResult, planFor } from './results.ts'
import { type Plan, rewriteSelection } from './selection.ts'
import { demanded, type Place, rewriteWhere, withTenant } from './where.ts'
import { createData, updateData, Writes } from './writes.ts'

/** One call of Prisma. */
export interface Call {
  readonly models: Models
  readonly model: Model
  readonly operation: string
  readonly args: Values
  /** Runs the same operation with other arguments, in the transaction of the call; it may be run more than once. */
  readonly query: (args: Values) => Promise<unknown>
}

/** Rows that one `findFirst` may pass over. */
const MOST_PASSED = 1_000

/** Does one call of Prisma, encrypting what it writes and decrypting what it reads. Operations that are not known are refused. */
export function runOperation(call: Call): Promise<unknown> {
  const work = Object.hasOwn(OPERATIONS, call.operation) ? OPERATIONS[call.operation] : undefined
  if (work === undefined) refuse(call.model, `${call.operation} is not known here, so it could bypass encryption`)
  const given = Object.entries(call.args).filter(([, value]) => !isSkip(value))
  return work({ ...call, args: Object.fromEntries(given) })
}

const OPERATIONS: Readonly<Record<string, (call: Call) => Promise<unknown>>> = {
  findMany: async (call) => {
    const { found, args, plan } = await rewriteRead(call)
    return read(call, { ...args, ...whereOf(call, found) }, plan)
  },
  findFirst,
  findFirstOrThrow: findFirst,
  findUnique,
  findUniqueOrThrow: findUnique,
  create: async (call) => write(call, { data: (writes) => createData(writes, call.model, call.args.data) }),
  createMany: async (call) => write(call, { data: (writes) => createRows(call, writes) }),
  createManyAndReturn: async (call) => write(call, { data: (writes) => createRows(call, writes) }),
  update: (call) => change(call, 'the database writes to every row that it finds'),
  updateMany: (call) => change(call, 'the database writes to every row that it finds'),
  updateManyAndReturn: (call) => change(call, 'the database writes to every row that it finds'),
  upsert: async (call) => {
    const { create, update } = call.args
    const found = await rewriteWhere(
      call.model,
      scoped(call),
      exactly(call, 'the database writes to the row that it finds'),
    )
    if (oneByOne(call.model, found.where).length > 1) {
      refuse(
        call.model,
        'upsert by an index while its key is being rotated could make a second row: find the row first, and go on by its id',
      )
    }
    const demands = demanded(call.model, found.where)
    const parts = {
      create: (writes: Writes) => createData(writes, call.model, create),
      update: (writes: Writes) => updateData(writes, call.model, update, demands),
    }
    const written = await write({ ...call, args: { ...call.args, where: found.where } }, parts)
    if (written === null && !isChain(call.model, call.args.select)) {
      refuse(
        call.model,
        'upsert wrote nothing, because a row with the id or unique value of `create` is there that `where` does not find: it may be of another tenant',
      )
    }
    return written
  },
  delete: (call) => change(call, 'the database deletes the row that it finds'),
  deleteMany: (call) => change(call, 'the database deletes every row that it finds'),
  count: aggregate,
  aggregate,
  groupBy: aggregate,
}

async function rewriteRead(call: Call): Promise<{ found: Condition; args: Values; plan: Plan }> {
  const { models, model } = call
  const found = await rewriteWhere(model, scoped(call), { models })
  const pages = rewritePages(models, model, call.args, found)
  const { args, plan } = await rewriteSelection(models, model, pages.args, found.exact ? [] : found.reads)
  return { found, args, plan: { ...plan, ...pages.plan } }
}

async function read({ operation, query, args: { select } }: Call, args: Values, plan: Plan): Promise<unknown> {
  const result = await query(args)
  return decryptResult(result, planFor(operation, result, plan, select))
}

async function findFirst(call: Call): Promise<unknown> {
  const { found, args, plan } = await rewriteRead(call)
  const { model, operation } = call
  if (found.exact) return read(call, { ...args, ...whereOf(call, found) }, plan)
  const ids = model.encryption?.ids ?? []
  if (plan.take !== undefined || plan.skip !== undefined || ids.length === 0) {
    refuse(
      model,
      `${operation} with skip or take, or without an id, beside an index that returns other rows as well: use findMany`,
    )
  }
  const passed: Values[] = []
  const { extra, ...inner } = plan
  for (;;) {
    const where = passed.length === 0 ? found.where : { AND: [found.where, { NOT: { OR: passed } }] }
    const row = await call.query({ ...args, where })
    planFor(operation, row, plan, call.args.select) // refuses a chain
    const decrypted = await decryptResult(row, { ...inner, extra: [], test: () => true })
    if (!isObject(decrypted)) return decrypted
    if (found.test(decrypted)) {
      for (const name of extra) delete decrypted[name]
      return decrypted
    }
    passed.push(Object.fromEntries(ids.map((name) => [name, decrypted[name]])))
    if (passed.length > MOST_PASSED)
      refuse(model, `${operation} passed over ${MOST_PASSED} rows that do not match: use findMany`)
  }
}

async function findUnique(call: Call): Promise<unknown> {
  const { model } = call
  const { found, args, plan } = await rewriteRead(call)
  const orThrow = call.operation === 'findUniqueOrThrow'
  for (const where of oneByOne(model, found.where)) {
    const row = await attempt(() => call.query({ ...args, where }), orThrow)
    const result = await decryptResult(row, planFor(call.operation, row, plan, call.args.select))
    if (result !== null) return result
  }
  return orThrow
    ? call.query({ ...args, where: { ...found.where, ...oneByOne(model, found.where)[0], AND: [NOTHING] } })
    : null
}

/** A condition that no row meets, so that Prisma itself says that nothing was found. */
const NOTHING = { OR: [] }

/** Updates and deletions. */
async function change(call: Call, reason: string): Promise<unknown> {
  const { models, model, args } = call
  const found = await rewriteWhere(model, scoped(call), exactly(call, reason))
  const writes = new Writes(models, rewriteRelation)
  const out = { ...args }
  if (args.data !== undefined) out.data = await updateData(writes, model, args.data, demanded(model, found.where))
  const { args: selected, plan } = await selectionOf(call, out)
  await writes.encrypt()
  const wheres = ['update', 'delete'].includes(call.operation) ? oneByOne(model, found.where) : [found.where]
  for (const [at, where] of wheres.entries()) {
    const isLast = at === wheres.length - 1
    const given = whereOf(call, { where })
    const result = await attempt(() => call.query({ ...selected, ...given }), !isLast)
    if (result !== null || isLast) return decryptResult(result, planFor(call.operation, result, plan, args.select))
  }
  return null
}

/** Creations: each of `parts` is made, then everything is encrypted, then written. */
async function write(call: Call, parts: Readonly<Record<string, (writes: Writes) => unknown>>): Promise<unknown> {
  const writes = new Writes(call.models, rewriteRelation)
  const out = { ...call.args }
  for (const [name, make] of Object.entries(parts)) out[name] = await make(writes)
  const { args, plan } = await selectionOf(call, out)
  await writes.encrypt()
  return read(call, args, plan)
}

/** Operations that return a number of rows have no selection. */
async function selectionOf({ models, model, operation }: Call, args: Values): Promise<{ args: Values; plan: Plan }> {
  if (!['createMany', 'updateMany', 'deleteMany'].includes(operation)) return rewriteSelection(models, model, args)
  return { args, plan: { model, extra: [], unknown: [], related: new Map() } }
}

async function createRows({ model, args }: Call, writes: Writes): Promise<unknown> {
  const rows = Array.isArray(args.data) ? args.data : [args.data]
  const out: Values[] = []
  for (const row of rows) {
    const made = createData(writes, model, row)
    out.push(made instanceof Promise ? await made : made)
  }
  return out
}

async function aggregate(call: Call): Promise<unknown> {
  const { models, model, args } = call
  for (const name of ['_count', '_avg', '_sum', '_min', '_max', 'select', 'having']) {
    if (isObject(args[name])) refuseColumns(model, name, columnsOf(args[name]))
  }
  refuseColumns(model, 'by', Array.isArray(args.by) ? args.by : [args.by as string])
  const found = await rewriteWhere(model, scoped(call), exactly(call, 'the database counts'))
  const pages = rewritePages(models, model, args, found)
  return call.query({ ...pages.args, ...whereOf(call, found) })
}

/** Every name in a `having` or a list of aggregates, at any depth. */
function columnsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(columnsOf)
  if (isReference(value)) return [value.name]
  return isObject(value) ? Object.entries(value).flatMap(([name, inner]) => [name, ...columnsOf(inner)]) : []
}

/** Whether it may be a chain such as `upsert(…).orders()`, whose answer is that of the relation. */
function isChain({ relations }: Model, select: unknown): boolean {
  const [name, ...more] = isObject(select) ? Object.keys(select) : []
  return name !== undefined && more.length === 0 && own(relations, name) !== undefined
}

function exactly({ models }: Call, exact: string): Place {
  return { models, exact }
}

/** The `where` of the call, held to the tenant of the work at hand. */
function scoped({ models, model, args }: Call): unknown {
  return withTenant(models, model, args.where)
}

function whereOf({ args }: Call, { where }: { where: Values }): { where?: Values } {
  return args.where === undefined && Object.keys(where).length === 0 ? {} : { where }
}

/** A unique column takes one value, and an index has a tag for each of its keys: one `where` for each tag. */
function oneByOne({ encryption }: Model, where: Values): Values[] {
  const several = Object.entries(where).find(
    ([name, value]) => encryption?.indexes.has(name) && isObject(value) && Array.isArray(value.in),
  )
  if (several === undefined) return [where]
  const [name, value] = several
  return ((value as Values).in as unknown[]).map((one) => ({ ...where, [name]: one }))
}

/** Runs a query; null when Prisma finds no row, where that is not yet the answer. */
async function attempt(query: () => Promise<unknown>, isOpen: boolean): Promise<unknown> {
  try {
    return await query()
  } catch (error) {
    if (isOpen && (error as { code?: unknown }).code === 'P2025') return null
    throw error
  }
}
