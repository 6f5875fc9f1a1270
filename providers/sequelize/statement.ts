import { Model } from 'sequelize'
import { ConfigError } from '../../src/errors.ts'
import { assertLegibleNames } from '../../src/mapping/legible-names.ts'
import { assertNotCalculated, isNamed } from '../../src/mapping/query-text.ts'
import { assertStatement } from '../../src/mapping/statement-text.ts'
import { remember } from './identity.ts'
import type { Encrypted, Registry } from './registry.ts'
import { hideCiphertexts, type Included, Results } from './results.ts'
import { INSTANCES, unseal, type WriteOptions } from './seal.ts'
import { Sealed } from './sealed.ts'

type Values = Record<string, unknown>

/** The query that Sequelize shows to `beforeQuery`, before it runs. */
interface Query {
  run: (sql: string, parameters?: unknown) => Promise<unknown>
  /** Undefined until it runs. */
  readonly sql?: string
  readonly options: WriteOptions & {
    readonly type?: string
    readonly model?: unknown
    readonly instance?: unknown
    readonly include?: readonly Included[]
    readonly attributes?: unknown
  }
}

/** An instance that a statement writes. */
interface Written {
  readonly encrypted: Encrypted
  readonly instance: Model
  readonly before: Values
}

/** Statements that were prepared, and whether they were read. */
const watched = new WeakMap<Query, boolean>()

/**
 * Reads a statement before it runs and decrypts what it returns. Every statement of a Sequelize comes by here, those that are
 * made with `hooks: false` and those of an application's own SQL as well.
 *
 * @throws ConfigError when this Sequelize works in another way
 */
export function watchStatement(registry: Registry, query: Query): void {
  const { run } = query
  if (typeof run !== 'function')
    throw new ConfigError('this version of Sequelize does not show its statements to hooks')
  watched.set(query, false)
  let isRunning = false
  // This method is not Sequelize's hook but that of the object which its hook gets, declared private. No hook will do: before a
  // statement runs, none is told its text and parameters (`logging` gets them as one text, and not at all with `benchmark`), and
  // none is given what `returning`, `mapToModel`, a query of one's own or a find with `hooks: false` brought back.
  query.run = async (sql, parameters) => {
    if (typeof sql !== 'string') throw otherWay()
    watched.set(query, true)
    // MySQL: it asks for warnings by itself.
    if (isRunning) return run.call(query, sql, parameters)
    isRunning = true
    const statement = new Statement(registry, query, sql)
    try {
      statement.assert(parameters)
      const results = await run.call(query, sql, parameters)
      await statement.reveal(results)
      return results
    } finally {
      statement.unseal()
    }
  }
}

/**
 * Refuses what was run past the guard, as a version of Sequelize could that runs its statements in another way.
 *
 * @throws ConfigError
 */
export function assertWatched(query: Query): void {
  if (watched.get(query) === false && query.sql !== undefined) throw otherWay()
}

function otherWay(): ConfigError {
  return new ConfigError('this version of Sequelize ran a statement that was not shown to its hooks')
}

class Statement {
  readonly #registry: Registry
  readonly #options: Query['options']
  readonly #sql: string
  readonly #named: readonly Encrypted[]
  /** Instances that this statement writes, with what they held before. */
  readonly #written: readonly Written[]

  constructor(registry: Registry, { options }: Query, sql: string) {
    this.#registry = registry
    this.#options = options
    this.#sql = sql
    this.#named = [...registry.all].filter(({ named }) => isNamed(sql, named))
    const { instance } = options
    const many = options[INSTANCES]
    const written: Written[] = []
    for (const one of many ?? (instance instanceof Model ? [instance] : [])) {
      const encrypted = registry.find(one.constructor)
      // Of many Sequelize changes none before all rows are there.
      const before = (many === undefined ? { ...one.dataValues } : one.dataValues) as Values
      if (encrypted !== undefined) written.push({ encrypted, instance: one, before })
    }
    this.#written = written
  }

  /** @throws InvalidInputError for a statement that would pass the encryption */
  assert(parameters: unknown): void {
    const [first] = this.#registry.all
    assertLegibleNames(this.#sql, first?.named.backslash)
    const list = listed(parameters)
    const isSelect = this.#options.type === 'SELECT' && Array.isArray(this.#options.attributes)
    for (const { named } of this.#named) {
      assertStatement(this.#sql, list, named)
      if (isSelect) assertNotCalculated(this.#sql, named)
    }
  }

  async reveal(returned: unknown): Promise<void> {
    const { model, include, instance } = this.#options
    const results = new Results(this.#registry)
    if (instance instanceof Model) this.#revealWritten(results)
    else if (this.#options[INSTANCES] !== undefined) this.#revealInserted(results, returned)
    else if (this.#named.length === 0) return
    else if (model !== undefined) results.add(returned, model, include)
    else hideCiphertexts(returned)
    await results.decrypt()
  }

  unseal(): void {
    for (const { encrypted, instance } of this.#written) unseal(encrypted, instance)
  }

  #revealWritten(results: Results): void {
    for (const { encrypted, instance, before } of this.#written) {
      const values = instance.dataValues as Values
      const returned = [...encrypted.record.fields].filter((name) => {
        const was = before[name]
        // Another write of the same instance may have begun meanwhile.
        if (values[name] === was || values[name] instanceof Sealed) return false
        if (!(was instanceof Sealed && was.isStored(values[name]))) return true
        values[name] = was.plain
        return false
      })
      for (const name of encrypted.record.indexColumns) delete values[name]
      if (returned.length > 0) results.addReturned(encrypted, instance, returned)
      if (!this.#mayBeAnother) remember(encrypted, instance)
    }
  }

  /** PostgreSQL returns the rows of an insert of many, in their order unless there were conflicts. */
  #revealInserted(results: Results, returned: unknown): void {
    const rows = Array.isArray(returned) && Array.isArray(returned[0]) ? (returned[0] as Values[]) : []
    for (let at = 0; at < this.#written.length; at++) {
      const { encrypted, instance, before } = this.#written[at] as Written
      const row = rows[at]
      if (row !== undefined) {
        const news = newsOf(encrypted, row, before)
        if (news === undefined) results.add(row, encrypted.model)
        // Sequelize puts what it finds into the instance, column by column, and looks for the attribute of each.
        else rows[at] = news
      }
      if (!this.#mayBeAnother) remember(encrypted, instance, sealedFor(encrypted, before))
    }
  }

  /** Whether the row in the database may be one that was there before. */
  get #mayBeAnother(): boolean {
    const { ignoreDuplicates, updateOnDuplicate } = this.#options
    return ignoreDuplicates === true || updateOnDuplicate !== undefined
  }
}

/** The identity of the row that values were encrypted for. */
function sealedFor({ record }: Encrypted, values: Values): readonly string[] | undefined {
  for (const name of record.written) {
    const value = values[name]
    if (value instanceof Sealed) return value.row?.identity
  }
  return undefined
}

/** What an instance does not know of the row that was just written for it; undefined where the database has another one. */
function newsOf({ fields, stored }: Encrypted, row: Values, before: Values): Values | undefined {
  for (const [name, key] of fields) {
    const was = before[name]
    if (row[key] !== undefined && !(was instanceof Sealed && was.isStored(row[key]))) return undefined
  }
  const news: Values = {}
  for (const key of Object.keys(row)) if (!stored.has(key)) news[key] = row[key]
  return news
}

/** Parameters by their number: SQLite gets them by names such as `$1`. */
function listed(parameters: unknown): readonly unknown[] {
  if (Array.isArray(parameters)) return parameters
  const list: unknown[] = []
  for (const [name, value] of Object.entries(parameters ?? {})) list[Number(name.slice(1)) - 1] = value
  return list
}
