import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { QueryRunner } from 'typeorm'
import { Placeholder } from './placeholder.ts'

type Entity = Record<string, unknown>

/** Stands for a property that was left as it is. */
export const KEPT: unique symbol = Symbol('strongroom.kept')

/** What an entity held before its values were encrypted for writing. */
interface Held {
  readonly names: readonly string[]
  /** The values of these names, undefined where there was none, or `KEPT`. */
  readonly values: unknown[]
  /** In how many writes the entity is: it may be in several at once. */
  writes: number
}

const held = new WeakMap<Entity, Held>()

/** In milliseconds: a query of whose end another subscriber lets nobody know must not hold up an error for ever. */
const PATIENCE = 1_000

/** What is being written by one query runner: entities of several records may be in one `save`. */
export class InFlight {
  #pending = 0
  #waiting: (() => void)[] = []
  #queries = 0
  #ended: (() => void)[] = []
  /** In how many writes of this runner an entity is. */
  readonly #entities = new Map<Entity, number>()

  /** Says that the values of an entity are being encrypted. */
  begin(): void {
    this.#pending++
  }

  /** Says that they were, or that they could not be. */
  end(): void {
    if (--this.#pending > 0) return
    for (const go of this.#waiting.splice(0)) go()
  }

  /** Says that a query of this runner begins. */
  beginQuery(): void {
    this.#queries++
  }

  /** Says that it ended. */
  endQuery(): void {
    if (this.#queries > 0) this.#queries--
    for (const go of this.#ended.splice(0)) go()
  }

  /**
   * Rejects for an entity that cannot be encrypted, after the others of its statement have their values back. Those of other
   * statements that were announced in the same turn go on: what they write is taken from them when their statement is made.
   */
  async fail(error: unknown): Promise<never> {
    await nextTurn()
    const patience = Date.now() + PATIENCE
    // A statement behind the one that runs takes its values later.
    while (this.#pending > 0 || (this.#queries > 0 && Date.now() < patience)) {
      const wait = this.#pending > 0 ? this.#waiting : this.#ended
      const over = new Promise<void>((resolve) => wait.push(resolve))
      await (wait === this.#waiting ? over : Promise.race([over, delay(PATIENCE, undefined, { ref: false })]))
      await nextTurn()
    }
    for (const [entity, writes] of this.#entities) {
      if (isTaken(entity)) continue
      this.#entities.delete(entity)
      letGo(entity, writes)
    }
    throw error
  }

  /**
   * Says what an entity held, until it is released.
   *
   * @param values of these names, undefined where there was none, or `KEPT`; the list is kept
   */
  hold(entity: Entity, names: readonly string[], values: unknown[]): void {
    const known = held.get(entity)
    if (known === undefined) held.set(entity, { names, values, writes: 1 })
    else {
      known.writes++
      for (let at = 0; at < values.length; at++) if (known.values[at] === KEPT) known.values[at] = values[at]
    }
    this.#entities.set(entity, (this.#entities.get(entity) ?? 0) + 1)
  }

  /** Gives an entity its values back, once no other write needs what they were replaced by. */
  release(entity: Entity): void {
    const writes = this.#entities.get(entity)
    if (writes === undefined) return
    if (writes === 1) this.#entities.delete(entity)
    else this.#entities.set(entity, writes - 1)
    letGo(entity, 1)
  }

  undo(): void {
    for (const [entity, writes] of this.#entities) letGo(entity, writes)
    this.#entities.clear()
  }

  /** Like `undo`, once all that was begun has ended: what is encrypted later would stay. */
  async settle(): Promise<void> {
    await undefined // TypeORM announces the other entities in the same turn.
    if (this.#pending > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.undo()
  }
}

/** Whether the statement that writes an entity was made. */
function isTaken(entity: Entity): boolean {
  const { names = [] } = held.get(entity) ?? {}
  return names.some((name) => entity[name] instanceof Placeholder && entity[name].isTaken)
}

function letGo(entity: Entity, writes: number): void {
  const known = held.get(entity)
  if (known === undefined) return
  known.writes -= writes
  if (known.writes > 0) return
  held.delete(entity)
  const { names, values } = known
  // Backwards, because only the property that was added last is deleted without making the object slow.
  for (let at = names.length - 1; at >= 0; at--) {
    const name = names[at] as string
    if (values[at] === KEPT || values[at] === entity[name]) continue
    if (values[at] === undefined) delete entity[name]
    else entity[name] = values[at]
  }
}

const byRunner = new WeakMap<QueryRunner, InFlight>()

/** What this query runner is writing, for the subscribers of all entities. */
export function inFlight(queryRunner: QueryRunner): InFlight {
  const known = byRunner.get(queryRunner)
  if (known !== undefined) return known
  const made = new InFlight()
  byRunner.set(queryRunner, made)
  return made
}
