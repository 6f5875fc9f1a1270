import type { DataSource, Logger, QueryRunner } from 'typeorm'
import { assertLegibleNames } from '../../src/mapping/legible-names.ts'
import { inFlight } from './in-flight.ts'
import { watchReaders } from './readers.ts'

/** Refuses a statement by throwing. */
export type StatementReader = (query: string, parameters: readonly unknown[]) => void

interface Statement {
  readonly query: string
  readonly parameters: readonly unknown[]
}

const guards = new WeakMap<DataSource, StatementGuard>()

/**
 * Reads the statements of a data source for all of its encrypted entities. Its logger is told of every statement before it
 * runs, subscribers are not told of those of `stream()`.
 */
export class StatementGuard {
  readonly #readers: StatementReader[] = []
  /** Query runners that query builders made to read with. */
  readonly #builders: WeakSet<QueryRunner>
  /** What query runners are about to run and was read: the logger is told of it, and then every subscriber. */
  readonly #read = new WeakMap<QueryRunner, Statement>()

  private constructor(dataSource: DataSource) {
    this.#builders = watchReaders(dataSource)
  }

  /** The guard of a data source, made and put before its logger at the first call. */
  static of(dataSource: DataSource): StatementGuard {
    const known = guards.get(dataSource)
    if (known !== undefined) return known
    const guard = new StatementGuard(dataSource)
    let logger = guard.#before(dataSource.logger)
    // By an accessor, because `setOptions` puts another logger in its place.
    Object.defineProperty(dataSource, 'logger', {
      configurable: true,
      enumerable: true,
      get: () => logger,
      set: (other: Logger) => {
        if (other !== logger) logger = guard.#before(other)
      },
    })
    guards.set(dataSource, guard)
    return guard
  }

  add(reader: StatementReader): void {
    this.#readers.push(reader)
  }

  /** @throws what a reader throws, after entities that are being written have their values back */
  assert(query: string, given: unknown, queryRunner?: QueryRunner): void {
    const parameters: readonly unknown[] = Array.isArray(given) ? given : []
    const read = queryRunner === undefined ? undefined : this.#read.get(queryRunner)
    if (read !== undefined && isSame(read, { query, parameters })) return
    try {
      assertLegibleNames(query)
      for (const reader of this.#readers) reader(query, parameters)
    } catch (error) {
      if (queryRunner !== undefined) {
        inFlight(queryRunner).undo()
        this.#releaseUnused(queryRunner)
      }
      throw error
    }
    // A copy: another subscriber may change parameters before they are sent.
    if (queryRunner !== undefined) this.#read.set(queryRunner, { query, parameters: [...parameters] })
  }

  /** Says that a query runner has run its statement. */
  forget(queryRunner: QueryRunner): void {
    this.#read.delete(queryRunner)
  }

  /**
   * Gives back the connection of a query builder whose `stream()` was refused: TypeORM does when a stream ends, and so never
   * when it did not begin. Runners of transactions and writes are none that query builders read with.
   */
  #releaseUnused(queryRunner: QueryRunner): void {
    const isForReading = () => {
      const isMade = this.#builders.has(queryRunner) || queryRunner.getReplicationMode() === 'slave'
      return isMade && !queryRunner.isTransactionActive
    }
    if (!isForReading()) return
    setImmediate(() => {
      if (!queryRunner.isReleased && isForReading()) queryRunner.release().catch(() => undefined)
    })
  }

  /** The logger, told of the statements that may run. */
  #before(logger: Logger): Logger {
    const logQuery: Logger['logQuery'] = (query, parameters, queryRunner) => {
      this.assert(query, parameters, queryRunner)
      return logger.logQuery(query, parameters, queryRunner)
    }
    return new Proxy(logger, {
      get(target, name) {
        if (name === 'logQuery') return logQuery
        const value: unknown = Reflect.get(target, name, target)
        // A logger of the application may have private members.
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

function isSame(one: Statement, other: Statement): boolean {
  if (one.query !== other.query || one.parameters.length !== other.parameters.length) return false
  return one.parameters.every((parameter, at) => parameter === other.parameters[at])
}
