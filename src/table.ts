import type { JobStore, JobWrite } from './job.ts'
import type { RowKey } from './row-key.ts'

/** What a cell holds, as the driver gives it and takes it. */
export type Cell = unknown

/** One row of a page: its key, and the columns that were asked for. */
export interface TableRow {
  readonly key: RowKey
  readonly values: Readonly<Record<string, Cell>>
}

/** Which rows to read: in the order of the primary key, behind `after`, up to and with `until`. */
export interface PageQuery {
  readonly columns: readonly string[]
  /** Columns to read as a text that tells all values apart, whatever their type; as bytes where a cell holds no text. */
  readonly texts?: readonly string[]
  readonly after?: RowKey
  readonly until?: RowKey
  /**
   * Only rows whose columns hold these values, given as texts. A table that cannot tell may give other rows as well: whoever asks
   * looks again.
   */
  readonly equals?: Readonly<Record<string, string>>
  /** Rows at most, 1 to 10,000. */
  readonly limit: number
}

/** A change to one row, made only while the row still holds what is expected. */
export interface RowChange {
  readonly key: RowKey
  /** Columns and what they must hold; null is a value like any other. */
  readonly expected: Readonly<Record<string, Cell>>
  /** Columns and what they must hold, as `texts` of a page reads it. */
  readonly expectedTexts?: Readonly<Record<string, string | Uint8Array | null>>
  readonly set: Readonly<Record<string, Cell>>
}

/** What to count rows by: the first characters, or bytes, of the values that begin with `prefix`. */
export interface HeadQuery {
  readonly column: string
  /** Text for a column of text, bytes for a column of bytes. */
  readonly prefix: string | Uint8Array
  /** Characters or bytes; 64 at most. */
  readonly length: number
  /** Also count apart by the text of this column: the database's own, or lower-case hexadecimal when it holds bytes. */
  readonly by?: string
}

/** Rows counted by how the value of a column begins. */
export interface HeadCount {
  /** null where the column is null, empty where the value does not begin with the prefix. */
  readonly head: string | Uint8Array | null
  /** What the column `by` holds; null without one. */
  readonly by: string | null
  readonly rows: number
}

/** One column as the database declares it. */
export interface TableColumn {
  readonly name: string
  /** The database's name of the type. */
  readonly type: string
  readonly holds: 'text' | 'bytes' | 'other'
  readonly nullable: boolean
  /** Characters of text or bytes that fit, where the type limits them. */
  readonly width: number | null
  /** What it makes of values without an error, where it does not keep every one as it is. */
  readonly alters?: ColumnAlteration
  /** Why its values have no text that tells them apart, and what to do; such a column cannot be migrated. */
  readonly noText?: string
}

/** How a column changes what is written to it. */
export interface ColumnAlteration {
  /** Digits behind the point, of a number or of a second, that are kept. */
  readonly decimals?: number
  /** What texts of numbers become: IEEE 754 numbers of 32 or 64 bits, or whole ones of 64 bits beside the latter. */
  readonly numbers?: 'single' | 'double' | 'integer or double'
  /** Spaces at the end are lost. */
  readonly trims?: boolean
}

/** One index as the database declares it, and can use it. */
export interface TableIndex {
  readonly name: string
  readonly columns: readonly string[]
  readonly unique: boolean
}

/** A table as the database declares it. */
export interface TableDescription {
  readonly primaryKey: readonly string[]
  readonly columns: readonly TableColumn[]
  readonly indexes: readonly TableIndex[]
  /** From the statistics of the database. */
  readonly estimatedRows: number
  /** Bytes of the table with its indexes. */
  readonly bytes: number
}

/**
 * Keeps columns that are derived from another from going stale: when an update changes `source` and leaves the first of
 * `derived` as it was, all of `derived` become null in the same update. An update that sets both is left alone.
 */
export interface TableGuard {
  readonly name: string
  /** `derived` is empty for no source. */
  readonly watched: readonly { readonly source: string; readonly derived: readonly string[] }[]
}

/** A change to a table itself. Each is harmless when it was made already, but for `rename`. */
export type TableChange =
  /** A column that may be null; of the type `type`, as `describe` names it, or of one for text or bytes of up to `width`. */
  | {
      readonly kind: 'add-column'
      readonly column: string
      readonly holds: 'text' | 'bytes'
      readonly width?: number
      readonly type?: string
    }
  /** With the indexes that it is part of. */
  | { readonly kind: 'drop-column'; readonly column: string }
  /** Whether a column may be null; the table is not locked for longer than the database needs. */
  | { readonly kind: 'allow-null' | 'refuse-null'; readonly column: string }
  /** Made while others write, where the database can. */
  | { readonly kind: 'add-index'; readonly index: string; readonly column: string }
  | { readonly kind: 'drop-index'; readonly index: string }
  /** Makes a guard, or makes it anew. */
  | { readonly kind: 'guard'; readonly guard: TableGuard }
  | { readonly kind: 'unguard'; readonly name: string }
  /**
   * Renames columns, in order, and makes the guard anew over the new names: all at once, where the database can, and elsewhere
   * while nobody writes. What is watched under names that stay is watched all the time.
   */
  | {
      readonly kind: 'rename'
      readonly columns: readonly { readonly from: string; readonly to: string }[]
      readonly guard: TableGuard
    }

/**
 * How Strongroom reaches the rows of one table. It decides nothing and knows no key: it pages, counts and compares.
 * Prove yours with `tableConformance` from `strongroom/testing`.
 */
export interface Table {
  /** What messages call it, for example `postgres public.users`. */
  readonly name: string

  /** The table as the database declares it. @throws TableError when it does not exist or has no primary key */
  describe(): Promise<TableDescription>

  /** One page of rows, in the order of the primary key. @throws TableError */
  page(query: PageQuery): Promise<TableRow[]>

  /**
   * Makes changes by compare-and-set and records the progress of a job, in one transaction.
   *
   * @returns which changes were made, in order; the others found another value, or no row
   * @throws JobLostError when the job is no longer held, and then nothing was written; TableError
   */
  write(changes: readonly RowChange[], job?: JobWrite): Promise<boolean[]>

  /** Counts all rows by how the value of a column begins. In the database alone: nothing is read or decrypted. @throws TableError */
  countHeads(query: HeadQuery): Promise<HeadCount[]>

  /** The last keys of `parts` ranges of about equal size, without that of the last one: fewer than `parts` keys. @throws TableError */
  splits(parts: number): Promise<RowKey[]>

  /** How far replicas are behind, in ms; 0 without replicas. @throws TableError */
  lag(): Promise<number>

  /**
   * The statements of a change, for `run` and for people to read. Nothing is changed.
   *
   * @throws TableError (`misconfigured`) when the database cannot make such a change
   */
  changeSql(change: TableChange): Promise<readonly string[]>

  /**
   * Runs statements that change the table, one after the other, each outside of a transaction.
   *
   * @throws TableError (`locked`) when others held the table for too long; then the statement did nothing
   */
  run(statements: readonly string[]): Promise<void>

  /** The jobs that are kept in this table's database. */
  readonly jobs: JobStore

  /** Frees connections. Called by `Strongroom.close`. */
  close?(): Promise<void>
}
