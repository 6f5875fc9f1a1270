import { availableParallelism } from 'node:os'
import type { Output } from './output.ts'
import type { PasswordRow, PasswordTable } from './password-table.ts'
import { startProgress } from './progress.ts'

/** Does `work` for every row of a table that has a password, as many at once as there are cores, with progress. @returns all rows */
export async function eachRow(
  rows: PasswordTable,
  label: string,
  output: Output,
  work: (id: string, stored: string) => Promise<void>,
): Promise<number> {
  let done = 0
  const progress = startProgress(output, { label, total: await rows.count(), unit: 'rows' })
  try {
    for await (const page of rows.pages()) {
      const queue = page.values()
      // A few workers on one iterator: each takes the next row when it is done with its last.
      await Promise.all(Array.from({ length: availableParallelism() }, () => takeAll(queue)))
    }
    return done
  } finally {
    progress.end()
  }

  async function takeAll(queue: Iterator<PasswordRow>): Promise<void> {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      const { id, stored } = next.value
      if (stored !== null) await work(id, stored)
      progress.update(++done)
    }
  }
}
