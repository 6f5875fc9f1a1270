import type { Encryption, Model, Values } from './models.ts'
import { isObject, refuse, refuseUnknown } from './refusals.ts'
import type { Plan } from './selection.ts'

/**
 * Decrypts what Prisma returns: every row of every model in it, each model as one batch, so that a key is loaded once.
 *
 * @param result a row, rows, or null
 * @returns the same with the rows that really match, and with the columns that were asked for
 * @throws as `decryptMany`; nothing is returned then
 */
export async function decryptResult(result: unknown, plan: Plan): Promise<unknown> {
  const found = new Map<Model, Set<Values>>()
  gather(result, plan, found)
  for (const [model, rows] of found) {
    if (model.encryption !== undefined) await decryptRows(model.encryption, [...rows])
  }
  return finish(result, plan)
}

/** The operations that a chain such as `findUnique(…).orders()` can follow. */
const CHAINED = new Set([
  'findUnique',
  'findUniqueOrThrow',
  'findFirst',
  'findFirstOrThrow',
  'create',
  'update',
  'upsert',
  'delete',
])

/**
 * The plan for an answer. For a chain such as `findUnique(…).orders()` Prisma selects one relation, and answers with what
 * is in it instead of with the row.
 *
 * @param select as the caller gave it
 */
export function planFor(operation: string, result: unknown, plan: Plan, select: unknown): Plan {
  return CHAINED.has(operation) ? behindChain(result, plan, select) : plan
}

function behindChain(result: unknown, plan: Plan, select: unknown): Plan {
  const names = isObject(select) ? Object.keys(select) : []
  const [name = ''] = names
  const next = plan.related.get(name)
  if (names.length !== 1 || next === undefined || result === null) return plan
  const isRow = isObject(result) && Object.hasOwn(result, name)
  if (isRow && Object.keys(result).every((key) => key === name || plan.extra.includes(key))) return plan
  if (plan.test !== undefined) {
    refuse(plan.model, `.${name}() behind a search by an index that returns other rows as well: use \`include\``)
  }
  const inner = (select as Values)[name]
  return behindChain(result, next, isObject(inner) ? inner.select : undefined)
}

function gather(result: unknown, plan: Plan, found: Map<Model, Set<Values>>): void {
  let rows = found.get(plan.model)
  if (rows === undefined) {
    rows = new Set()
    found.set(plan.model, rows)
  }
  for (const row of Array.isArray(result) ? result : [result]) {
    if (!isObject(row)) continue
    rows.add(row)
    if (plan.unknown.length > 0) assertOwn(row, plan)
    for (const name of plan.unknown)
      if (typeof row[name] === 'object' && row[name] !== null) refuseUnknown(plan.model, name)
    for (const [name, next] of plan.related) gather(row[name], next, found)
  }
}

/** Refuses what came back by a relation that is not known here. */
function assertOwn(row: Values, { model, unknown, related }: Plan): void {
  for (const [name, value] of Object.entries(row)) {
    if (model.scalars.has(name) || related.has(name) || name === '_count') continue
    if (!unknown.includes(name) || (typeof value === 'object' && value !== null))
      refuseUnknown(model, unknown.join(', '))
  }
}

async function decryptRows({ cipher, record }: Encryption, rows: readonly Values[]): Promise<void> {
  const encrypted = rows.filter((row) => hasField(record.columns, row))
  const plain = await cipher.decryptMany(encrypted)
  for (const [at, row] of encrypted.entries()) {
    for (const name of record.columns.keys()) {
      if (Object.hasOwn(row, name)) row[name] = (plain[at] as Values)[name]
    }
  }
}

function hasField(columns: ReadonlyMap<string, unknown>, row: Values): boolean {
  for (const name of columns.keys()) if (Object.hasOwn(row, name)) return true
  return false
}

function finish(result: unknown, plan: Plan, done: Set<Values> = new Set()): unknown {
  if (Array.isArray(result)) {
    const rows =
      plan.test === undefined
        ? result
        : paged(
            result.filter((row) => passes(row, plan)),
            plan,
          )
    for (const row of rows) finishRow(row, plan, done)
    return rows
  }
  if (!isObject(result)) return result
  return passes(result, plan) ? finishRow(result, plan, done) : null
}

function passes(row: Values, { test }: Plan): boolean {
  return test === undefined || test(row)
}

function paged(rows: readonly Values[], { skip = 0, take }: Plan): Values[] {
  if (take === undefined) return rows.slice(skip)
  if (take >= 0) return rows.slice(skip, skip + take)
  const end = rows.length - skip
  return rows.slice(Math.max(0, end + take), Math.max(0, end))
}

/** Once for each object, because several rows can have the same related one. */
function finishRow(row: Values, { extra, related }: Plan, done: Set<Values>): Values {
  if (done.has(row)) return row
  done.add(row)
  for (const [name, next] of related) if (row[name] !== undefined) row[name] = finish(row[name], next, done)
  for (const name of extra) delete row[name]
  return row
}
