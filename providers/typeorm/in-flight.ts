import type { QueryRunner } from 'typeorm'

/** What is being written by one query runner: entities of several records may be in one `save`. */
class InFlight {
  readonly #pending = new Set<Promise<void>>()
  readonly #undo = new Set<() => void>()

  /** Runs the work of one entity. When it fails, all entities of the same write get their values back. */
  async run(work: () => Promise<void>): Promise<void> {
    const promise = work()
    this.#pending.add(promise)
    try {
      await promise
    } catch (error) {
      await this.settle()
      throw error
    } finally {
      this.#pending.delete(promise)
    }
  }

  /** Says how an entity gets its values back, until `undo` does it. */
  onUndo(undo: () => void): void {
    this.#undo.add(undo)
  }

  undo(): void {
    for (const undo of this.#undo) undo()
    this.#undo.clear()
  }

  /** Like `undo`, once all that was begun has ended: what is encrypted later would stay. */
  async settle(): Promise<void> {
    await undefined // TypeORM announces the other entities in the same turn.
    await Promise.allSettled(this.#pending)
    this.undo()
  }

  /** Forgets what was written, once its transaction needs no undoing any more. */
  forget(undo: () => void): void {
    this.#undo.delete(undo)
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
