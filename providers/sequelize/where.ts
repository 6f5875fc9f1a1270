import { Op } from 'sequelize'

type Values = Record<string | symbol, unknown>

/** What a condition demands of columns: `{ id }`, `{ id: { [Op.eq]: id } }`, and both within `Op.and`. */
export function demanded(where: unknown, columns: readonly string[]): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  if (typeof where !== 'object' || where === null) return out
  if (Array.isArray(where)) return Object.assign(out, ...where.map((part) => demanded(part, columns)))
  if (Object.getPrototypeOf(where) !== Object.prototype) return out
  const given = where as Values
  if (Object.hasOwn(given, Op.and)) Object.assign(out, demanded(given[Op.and], columns))
  for (const column of columns) {
    const value = equal(given[column])
    if (value !== undefined) out[column] = value
  }
  return out
}

function equal(value: unknown): unknown {
  if (['string', 'number', 'bigint'].includes(typeof value)) return value
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return undefined
  const inner = Reflect.ownKeys(value)
  return inner.length === 1 && inner[0] === Op.eq ? equal((value as Values)[Op.eq]) : undefined
}
