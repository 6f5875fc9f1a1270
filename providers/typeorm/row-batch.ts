import type { AnyRow } from '../../src/mapping/mapped-record.ts'

interface Waiting {
  readonly row: AnyRow
  readonly done: (row: AnyRow) => void
  readonly failed: (reason: unknown) => void
}

/** Encrypts or decrypts together the rows that TypeORM announces one by one in the same turn. */
export class RowBatch {
  readonly #work: (rows: readonly AnyRow[]) => Promise<AnyRow[]>
  #waiting: Waiting[] = []

  constructor(work: (rows: readonly AnyRow[]) => Promise<AnyRow[]>) {
    this.#work = work
  }

  /** @param failed is told what the work, or `done`, throws for this row */
  add(row: AnyRow, done: (row: AnyRow) => void, failed: (reason: unknown) => void): void {
    if (this.#waiting.length === 0) queueMicrotask(() => void this.#flush())
    this.#waiting.push({ row, done, failed })
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    const rows = await this.#work(waiting.map(({ row }) => row)).catch(() => undefined)
    if (rows !== undefined) for (const [at, one] of waiting.entries()) finish(one, rows[at] as AnyRow)
    // Rows of several queries may be in one turn, and a row that fails is the business of its own query alone.
    else for (const one of waiting) await this.#work([one.row]).then(([row]) => finish(one, row as AnyRow), one.failed)
  }
}

function finish({ done, failed }: Waiting, row: AnyRow): void {
  try {
    done(row)
  } catch (error) {
    failed(error)
  }
}
