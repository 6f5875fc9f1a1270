import { assertMethods, assertObject, assertSignal } from '../bytes.ts'
import { type AllowedState, assertAllowed } from '../keys/states.ts'
import { compileRecord } from '../records/compiled-record.ts'
import type { RecordCipher } from '../records/record-cipher.ts'
import type { AnyRecord } from '../records/record-types.ts'
import type { Settled } from '../records/row-batch.ts'
import { idColumns } from '../records/schema.ts'
import type { RowKey } from '../row-key.ts'
import type { Cell, RowChange, Table, TableRow } from '../table.ts'
import { assertTable } from '../table-shape.ts'
import type { JobOptions } from './job-options.ts'
import { type JobReport, runJob } from './run-job.ts'

/** How to re-encrypt a table. */
export interface ReencryptOptions extends JobOptions {
  /** Also read rows under keys in these states: needed to leave a compromised or suspended key. */
  readonly allow?: readonly AllowedState[]
}

/**
 * Re-encrypts the rows of a table that are not under the active keys: fields under the active data key of their scope, tags
 * under the active index key. Rows are replaced by compare-and-set, so that a write of the application is never lost, and
 * the job can be stopped, killed and started again at any moment. It is done when a whole pass found nothing to change.
 *
 * @returns counts; rows that could not be decrypted are set aside, and left as they are
 * @throws JobBusyError (`ERR_JOB_BUSY`), JobLostError (`ERR_JOB_LOST`), TableError (`ERR_TABLE`)
 * @throws SystemicFailureError (`ERR_SYSTEMIC_FAILURE`) when most rows of a batch fail: then the cause is not the rows
 */
export async function reencryptTable<Schema extends AnyRecord>(
  cipher: RecordCipher<Schema>,
  table: Table,
  options: ReencryptOptions = {},
): Promise<JobReport> {
  assertMethods(cipher, ['reencryptSettled'], 'cipher')
  assertTable(table)
  assertObject(options, 'the options')
  assertSignal(options.signal)
  const { allow = [], ...job } = options
  assertAllowed(allow)
  const columns = storedColumns(cipher.schema)
  const rows = async (page: readonly TableRow[]) => {
    const settled = await cipher.reencryptSettled(page.map((row) => row.values) as never[], { allow })
    const changes: RowChange[] = []
    const failed: RowKey[] = []
    for (let at = 0; at < page.length; at++) {
      const { key, values } = page[at] as TableRow
      const result = settled[at] as Settled<TableRow['values']>
      if (result.status === 'rejected') failed.push(key)
      else if (result.value !== values) changes.push(changeOf(key, values, result.value, columns.written))
    }
    return { changes, failed }
  }
  const work = {
    kind: 'reencrypt',
    record: cipher.schema.name,
    phase: 'reencrypt',
    columns: columns.read,
    rows,
  } as const
  return runJob(table, work, job)
}

/** The columns of a record that a job reads, and those of them that it may write. */
function storedColumns(schema: AnyRecord): { read: string[]; written: string[] } {
  const { columns, indexes } = compileRecord(schema)
  const { tenant, subject } = schema.options
  const identity = [...idColumns(schema.options), tenant, subject].filter((name) => name !== undefined)
  const fields = [...columns.values()].filter((column) => column.state !== 'plaintext').map((column) => column.name)
  const searched = indexes.flatMap((index) => index.parts.map((part) => part.field))
  const written = [...fields, ...indexes.map((index) => index.column)]
  return { read: [...new Set([...identity, ...searched, ...written])], written }
}

function changeOf(
  key: RowKey,
  before: TableRow['values'],
  after: TableRow['values'],
  columns: readonly string[],
): RowChange {
  const expected: Record<string, Cell> = {}
  const set: Record<string, Cell> = {}
  for (const column of columns) {
    if (after[column] === before[column]) continue
    expected[column] = before[column]
    set[column] = after[column]
  }
  return { key, expected, set }
}
