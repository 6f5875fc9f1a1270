import type { AnyRow } from '../../src/mapping/mapped-record.ts'

interface Waiting {
  readonly row: AnyRow
  readonly resolve: (done: AnyRow) => void
  readonly reject: (reason: unknown) => void
}

/** Encrypts or decrypts together the rows that TypeORM announces one by one in the same turn. */
export class RowBatch {
  readonly #work: (rows: readonly AnyRow[]) => Promise<AnyRow[]>
  #waiting: Waiting[] = []

  constructor(work: (rows: readonly AnyRow[]) => Promise<AnyRow[]>) {
    this.#work = work
  }

  /** @throws what the work throws for this row */
  add(row: AnyRow): Promise<AnyRow> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => void this.#flush())
      this.#waiting.push({ row, resolve, reject })
    })
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      const done = await this.#work(waiting.map(({ row }) => row))
      for (const [at, { resolve }] of waiting.entries()) resolve(done[at] as AnyRow)
    } catch {
      // Rows of several queries may be in one turn, and a row that fails is the business of its own query alone.
      for (const { row, resolve, reject } of waiting) {
        await this.#work([row]).then(([done]) => resolve(done as AnyRow), reject)
      }
    }
  }
}
