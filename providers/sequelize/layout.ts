import type { Model, ModelStatic } from 'sequelize'
import type { Encrypted } from './registry.ts'

type Values = Readonly<Record<string, unknown>>

/** Names in a result whose values are no concern, although they may look encrypted. */
export interface Known {
  readonly any: ReadonlySet<string>
  /** Those that are no concern where they are bytes. */
  readonly bytes: ReadonlySet<string>
}

/** Where the columns of a record are in rows that have the same names. */
export interface Layout extends Known {
  /** The names that hold something. */
  readonly names: readonly string[]
  readonly ids: Keys
  readonly fields: Keys
  /** Names of index columns, which the application does not get. */
  readonly hidden: ReadonlySet<string>
}

/** Columns, and the names that they have in the row. */
type Keys = readonly (readonly [column: string, key: string])[]

const NONE: ReadonlySet<string> = new Set()

/** The layouts of one result, whose rows mostly have the same. */
export class Layouts {
  readonly #last = new Map<string, Map<unknown, Layout>>()
  readonly #ordinary = new Map<string, Map<unknown, Known>>()

  /** @param prefix of the names in the row, as `orders.` */
  of(encrypted: Encrypted, values: Values, prefix: string): Layout {
    const last = mapOf(this.#last, prefix)
    const known = last.get(encrypted)
    if (known !== undefined && fits(known, values)) return known
    const made = layoutOf(encrypted, values, prefix)
    last.set(encrypted, made)
    return made
  }

  /** The names of a model that has no record. */
  ordinary(model: ModelStatic<Model>, prefix: string): Known {
    const made = mapOf(this.#ordinary, prefix)
    const known = made.get(model)
    if (known !== undefined) return known
    const columns = Object.entries(model.getAttributes()).flatMap(([name, { field = name }]) => [name, field])
    const names = { any: new Set(columns.map((name) => `${prefix}${name}`)), bytes: NONE }
    made.set(model, names)
    return names
  }
}

function fits({ names }: Layout, values: Values): boolean {
  let at = 0
  for (const name of Object.keys(values)) {
    if (values[name] === undefined) continue
    if (names[at++] !== name) return false
  }
  return at === names.length
}

/** A column is there by its own name or by that of the database, and not where it holds nothing. */
function layoutOf({ record, named }: Encrypted, values: Values, prefix: string): Layout {
  const keyed = (columns: Iterable<string>): Keys =>
    [...columns].flatMap((name) => {
      const keys = [`${prefix}${name}`, `${prefix}${named.columns.get(name)}`]
      const key = keys.find((one) => values[one] !== undefined)
      return key === undefined ? [] : [[name, key] as const]
    })
  const fields = keyed(record.fields)
  const hidden = keyed(record.indexColumns).map(([, key]) => key)
  const others = keyed([...named.columns.keys()].filter((name) => !record.fields.has(name)))
  return {
    names: Object.keys(values).filter((name) => values[name] !== undefined),
    ids: keyed(record.identity),
    fields,
    hidden: new Set(hidden),
    any: new Set([...fields.map(([, key]) => key), ...hidden]),
    bytes: new Set(others.map(([, key]) => key)),
  }
}

function mapOf<Value>(maps: Map<string, Map<unknown, Value>>, prefix: string): Map<unknown, Value> {
  const known = maps.get(prefix)
  if (known !== undefined) return known
  const made = new Map<unknown, Value>()
  maps.set(prefix, made)
  return made
}
