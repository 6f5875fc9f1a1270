import type { AnyRow, MappedRecord } from '../../src/mapping/mapped-record.ts'

interface Waiting {
  readonly row: AnyRow
  readonly resolve: (plain: AnyRow) => void
  readonly reject: (reason: unknown) => void
}

/** Decrypts together the rows that TypeORM announces one by one in the same turn. */
export class LoadBatch {
  readonly #record: MappedRecord
  #waiting: Waiting[] = []

  constructor(record: MappedRecord) {
    this.#record = record
  }

  decrypt(row: AnyRow): Promise<AnyRow> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => void this.#flush())
      this.#waiting.push({ row, resolve, reject })
    })
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      const plain = await this.#record.cipher.decryptMany(waiting.map(({ row }) => row))
      for (const [at, { resolve }] of waiting.entries()) resolve(plain[at] as AnyRow)
    } catch {
      // Rows of several queries may be in one turn, and a damaged row is the business of its own query alone.
      for (const { row, resolve, reject } of waiting) {
        await this.#record.cipher.decryptMany([row]).then(([plain]) => resolve(plain as AnyRow), reject)
      }
    }
  }
}
