import { Buffer } from 'node:buffer'
import type { Table } from '../../src/table.ts'

/** One row of the table that the suite works on. */
export interface SampleRow {
  readonly tenant: number
  readonly id: string
  readonly note: string | null
  readonly raw: Uint8Array | null
  /** A day, as `2026-11-30`. */
  readonly born: string | null
}

/** What the suite needs to know about a table. */
export interface TableHarness {
  /** Empty, with the columns of `SampleRow` and the primary key `(tenant, id)`; `note` holds text, `raw` bytes, `born` a date. */
  readonly table: Table
  /** A second handle on the same table, as another process would have. */
  readonly second: Table
  /** Inserts rows as an application does. */
  insert(rows: readonly SampleRow[]): Promise<void>
  /** Every row, in the order of the key. */
  rows(): Promise<SampleRow[]>
  /** Called after each case. */
  close?(): Promise<void>
}

/** Promises of tables by what they say. */
export type TablePromises = Readonly<Record<string, (harness: TableHarness) => Promise<void>>>

/** A row that is made up from its key. */
export const row = (tenant: number, id: string, note: string | null = `note of ${id}`): SampleRow => ({
  tenant,
  id,
  note,
  raw: note === null ? null : Buffer.from([0, 255, tenant]),
  born: '2001-02-28',
})
