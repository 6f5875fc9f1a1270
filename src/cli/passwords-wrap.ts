import { setTimeout as delay } from 'node:timers/promises'
import { InvalidInputError, OverloadedError } from '../errors.ts'
import type { PasswordHasher } from '../passwords/password-hasher.ts'
import type { Output } from './output.ts'
import { type RawOptions, withHasher } from './password-hasher.ts'
import { eachRow } from './password-rows.ts'
import {
  type PasswordTable,
  type PasswordTableOptions,
  withPasswordTable,
  withRawOptions,
  withTableOptions,
} from './password-table.ts'
import type { Command } from './vendor.ts'

interface WrapOptions extends PasswordTableOptions, RawOptions {
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
  withRawOptions(withTableOptions(parent.command('wrap')))
    .description('Protect the weak password hashes of a table with Argon2id now, without waiting for logins.')
    .option('--dry-run', 'count, and write nothing')
    .option('--json', 'print the result for programs')
    .action(async (options: WrapOptions, command: Command) => {
      const counts = await withHasher(options, command, (hasher) =>
        withPasswordTable(options, output, (rows) => wrapAll(rows, hasher, options.dryRun === true, output)),
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
  counts.rows = await eachRow(rows, 'wrap', output, async (id, stored) => {
    const { scheme, belowFloor, wrapped } = hasher.inspect(stored)
    if (scheme === 'unreadable') counts.unreadable++
    if (!belowFloor || wrapped) return
    counts.weak++
    if (dryRun) return
    const next = await wrapInTurn(hasher, stored, id)
    if (next === undefined) counts.unreadable++
    else if (await rows.replace(id, next, stored)) counts.wrapped++
    else counts.changedMeanwhile++
  })
  return counts
}

/** Waits as often as other work has the memory. @returns undefined when computing the old hash would take more than there is */
async function wrapInTurn(hasher: PasswordHasher, stored: string, userId: string): Promise<string | undefined> {
  for (;;) {
    try {
      return await hasher.wrapLegacy(stored, { userId })
    } catch (error) {
      if (error instanceof InvalidInputError) return undefined
      if (!(error instanceof OverloadedError)) throw error
      await delay(error.retryAfter)
    }
  }
}
