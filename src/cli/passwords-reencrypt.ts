import { DecryptionError } from '../errors.ts'
import type { PepperedHasher } from '../passwords/pepper.ts'
import { type Output, ProblemsFound } from './output.ts'
import { withPepperedHasher } from './password-hasher.ts'
import { eachRow } from './password-rows.ts'
import { type PasswordTable, type PasswordTableOptions, withPasswordTable, withTableOptions } from './password-table.ts'
import type { Command } from './vendor.ts'

interface ReencryptOptions extends PasswordTableOptions {
  readonly dryRun?: true
  readonly json?: true
}

const SHOWN_IDS = 10

/**
 * `strongroom passwords reencrypt`: writes every stored password as the pepper writes it today, without a login: after a
 * rotation, when the pepper is new, and when it is retired. May be stopped and started again at any point.
 */
export function addPasswordsReencrypt(parent: Command, output: Output): void {
  withTableOptions(parent.command('reencrypt'))
    .description('Bring every stored password under the current pepper key, without any login.')
    .option('--dry-run', 'count, and write nothing')
    .option('--json', 'print the result for programs')
    .action(async (options: ReencryptOptions, command: Command) => {
      const counts = await withPepperedHasher(command, (hasher) =>
        withPasswordTable(options, output, (rows) => reencryptAll(rows, hasher, options.dryRun === true, output)),
      )
      const { failed, ...rest } = counts
      if (options.json) output.json({ ...rest, failed: failed.length, dryRun: options.dryRun === true })
      else for (const [name, count] of Object.entries(rest)) output.result(`${LABELS[name]}: ${count}`)
      if (failed.length === 0) return
      output.say(`${failed.length} cannot be decrypted: ids ${failed.slice(0, SHOWN_IDS).join(', ')}`)
      output.hint('they were written for another user, by another application, or under a key that is gone')
      throw new ProblemsFound()
    })
}

async function reencryptAll(rows: PasswordTable, hasher: PepperedHasher, dryRun: boolean, output: Output) {
  const counts = { rows: 0, outdated: 0, written: 0, changedMeanwhile: 0 }
  const failed: string[] = []
  counts.rows = await eachRow(rows, 'reencrypt', output, async (id, stored) => {
    const { scheme } = hasher.inspect(stored)
    if (scheme === 'unusable' || scheme === 'unreadable') return
    const next = await hasher.reencrypt(stored, { userId: id }).catch((error) => {
      if (!(error instanceof DecryptionError)) throw error
      failed.push(id)
      return stored
    })
    if (next === stored) return
    counts.outdated++
    if (dryRun) return
    if (await rows.replace(id, next, stored)) counts.written++
    else counts.changedMeanwhile++
  })
  return { ...counts, failed }
}

const LABELS: Record<string, string> = {
  rows: 'users',
  outdated: 'not under the current pepper',
  written: 'written',
  changedMeanwhile: 'changed meanwhile',
}
