import { availableParallelism } from 'node:os'
import type { PasswordHasher } from '../passwords/password-hasher.ts'
import type { Output } from './output.ts'
import {
  hasherFor,
  type PasswordRow,
  type PasswordTable,
  type PasswordTableOptions,
  withPasswordTable,
  withTableOptions,
} from './password-table.ts'
import { startProgress } from './progress.ts'
import type { Command } from './vendor.ts'

interface WrapOptions extends PasswordTableOptions {
  readonly dryRun?: true
  readonly json?: true
}

/** What was done to the rows of a table. */
interface WrapCounts {
  rows: number
  weak: number
  wrapped: number
  changedMeanwhile: number
  unreadable: number
}

/**
 * `strongroom passwords wrap`: puts Argon2id over every weak hash of a table, without any password. May be stopped and
 * started again at any point: wrapped rows are passed over, and a password that is changed meanwhile stays.
 */
export function addPasswordsWrap(parent: Command, output: Output): void {
  withTableOptions(parent.command('wrap'))
    .description('Protect the weak password hashes of a table with Argon2id now, without waiting for logins.')
    .option('--dry-run', 'count, and write nothing')
    .option('--json', 'print the result for programs')
    .action(async (options: WrapOptions) => {
      const hasher = hasherFor(options)
      const counts = await withPasswordTable(options, output, (rows) =>
        wrapAll(rows, hasher, options.dryRun === true, output),
      )
      if (options.json) return output.json({ ...counts, dryRun: options.dryRun === true })
      output.result(`users: ${counts.rows}`)
      output.result(`weak: ${counts.weak}`)
      output.result(`wrapped: ${counts.wrapped}`)
      output.result(`changed meanwhile: ${counts.changedMeanwhile}`)
      output.result(`unreadable: ${counts.unreadable}`)
      if (options.dryRun) output.hint('nothing was written: run it again without --dry-run')
    })
}

async function wrapAll(
  rows: PasswordTable,
  hasher: PasswordHasher,
  dryRun: boolean,
  output: Output,
): Promise<WrapCounts> {
  const counts: WrapCounts = { rows: 0, weak: 0, wrapped: 0, changedMeanwhile: 0, unreadable: 0 }
  const progress = startProgress(output, { label: 'wrap', total: await rows.count(), unit: 'rows' })
  try {
    for await (const page of rows.pages()) {
      const queue = page.values()
      // A few workers on one iterator: each takes the next row when it is done with its last.
      await Promise.all(Array.from({ length: availableParallelism() }, () => work(queue)))
    }
  } finally {
    progress.end()
  }
  return counts

  async function work(queue: Iterator<PasswordRow>): Promise<void> {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      await wrapOne(next.value)
      progress.update(++counts.rows)
    }
  }

  async function wrapOne({ id, stored }: PasswordRow): Promise<void> {
    if (stored === null) return
    const { scheme, belowFloor, wrapped } = hasher.inspect(stored)
    if (scheme === 'unreadable') counts.unreadable++
    if (!belowFloor || wrapped) return
    counts.weak++
    if (dryRun) return
    const next = await hasher.wrapLegacy(stored, { userId: id })
    if (await rows.replace(id, next, stored)) counts.wrapped++
    else counts.changedMeanwhile++
  }
}
