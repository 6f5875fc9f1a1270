/** One row, as people read it who encrypt by hand. */
export interface HandRow {
  readonly id: number
  readonly note: string
}

/** A row to write by hand, only while it holds `note`. */
export interface HandChange extends HandRow {
  readonly fresh: string
}

/** A server to re-encrypt in, and what people do there by hand. Its tables have `id` and `note`. */
export interface RotationDatabase {
  /** `postgres`, `mariadb` */
  readonly name: string
  readonly url: string
  /** Its version, and what a commit waits for. */
  readonly says: string
  /** What people call the statement that `replace` is. */
  readonly statement: string
  create(table: string): Promise<void>
  insert(table: string, ids: readonly number[], notes: readonly string[]): Promise<void>
  /** Leaves nothing behind that the next one would have to do. */
  settle(table: string): Promise<void>
  /** Writes every row in one statement, which cannot be told to be for nothing. @returns rows */
  updateAll(table: string): Promise<number>
  page(table: string, after: number, limit: number): Promise<readonly HandRow[]>
  /** @returns rows written */
  replace(table: string, changes: readonly HandChange[]): Promise<number>
  replaceOne(table: string, change: HandChange): Promise<number>
  /** Seconds of the processor that the server has used; undefined where that cannot be known. */
  processorTime(): number | undefined
  stop(): Promise<void>
}
