import { fillRows } from './fill.ts'
import type { HeldJob } from './held-job.ts'
import { isSwapped, layoutOf } from './layout.ts'
import { isSwitchedPhase } from './phase.ts'
import { type Right, restoreRows } from './restore.ts'
import { type MigrationOptions, type MigrationParts, type MigrationReport, runStep, type StepEnd } from './run-step.ts'
import { stepsSql } from './steps-sql.ts'
import {
  cleanChanges,
  columnsToAdd,
  columnsToRecreate,
  indexesToAdd,
  keptOf,
  nullsToRefuse,
  returnChanges,
  switchChanges,
  undoChanges,
} from './table-changes.ts'
import { checkAfterSwitch, compare, movingRows, onePass, pages } from './whole-passes.ts'

/**
 * Begins a migration, or goes on with it: adds the encrypted columns, fills them, makes their indexes and compares every
 * row. The application goes on reading and writing the old columns meanwhile. Nothing that it sees is changed.
 *
 * @returns complete when every row was compared, and was right
 * @throws MigrationStateError (`ERR_MIGRATION_STATE`), JobBusyError, JobLostError, TableError, ConfigError
 * @throws SystemicFailureError when most rows of a batch fail: then the cause is not the rows
 */
export async function runMigration(parts: MigrationParts, options: MigrationOptions = {}): Promise<MigrationReport> {
  return runStep('run', parts, options, async (held) => {
    const layout = layoutOf(parts.migration, false)
    if (['rolled-back', 'verified', 'compare'].includes(held.phase)) await held.to('add')
    if (held.phase === 'add') {
      const described = await parts.table.describe()
      const changes = columnsToAdd(layout, described)
      // A change that the database cannot make later is refused now.
      await stepsSql(parts.table, parts.migration, described, false)
      // What is to be remembered is written before the first change.
      await held.to('add', keptOf(layout, described, held.kept))
      await held.change([...changes, { kind: 'guard', guard: layout.guard }])
      await held.to('backfill')
    }
    if (held.phase === 'verify') await held.to('backfill') // rows may have been put right since
    if (held.phase === 'backfill') {
      const moving = await movingRows(parts, layout)
      const { complete, progress } = await held.passes({
        ...pages(moving, (rows) => fillRows(moving, rows, { preferOld: options.prefer === 'old' })),
        isLast: onePass,
      })
      if (!complete) return { complete, progress }
      await held.to('index')
    }
    if (held.phase === 'index') {
      await held.change(indexesToAdd(layout, await parts.table.describe()))
      await held.to('verify')
    }
    return verify(parts, held)
  })
}

/**
 * Decrypts every row and compares it with its old columns, values and tags. Rows that were changed since they were filled
 * are filled first. After the switch, when the old columns fall behind, it only opens what is encrypted.
 *
 * @returns complete when every row was right
 * @throws as `runMigration`
 */
export async function verifyMigration(parts: MigrationParts, options: MigrationOptions = {}): Promise<MigrationReport> {
  return runStep('verify', parts, options, async (held) => {
    if (held.phase === 'switched') return checkAfterSwitch(parts, held)
    await held.to('verify')
    return verify(parts, held)
  })
}

/**
 * Makes the encrypted columns the ones that count: compares every row once more, lets the old columns be null, and swaps
 * names where the encrypted column takes that of the old one. Refused before every row was verified.
 *
 * @throws as `runMigration`
 */
export async function switchMigration(parts: MigrationParts, options: MigrationOptions = {}): Promise<MigrationReport> {
  return runStep('switch', parts, options, async (held) => {
    // One that was killed behind its last phase is run again by whoever did not hear that it was done.
    if (held.phase === 'switched') return { complete: true }
    const [before, after] = [layoutOf(parts.migration, false), layoutOf(parts.migration, true)]
    let last: StepEnd | undefined
    // A switch that was cut short may have left no guard, and applications may have gone on for hours since.
    if (held.phase === 'switch' && isSwapped(parts.migration, await parts.table.describe()) !== true) {
      await held.change([{ kind: 'guard', guard: before.guard }])
      await held.to('compare')
    }
    // What was verified an hour ago says nothing of the rows that were written since.
    if (held.phase === 'verified') await held.to('compare')
    if (held.phase === 'compare') {
      last = await compare(parts, held, true)
      await held.to(last.complete ? 'switch' : 'verify')
      if (!last.complete) return last
    }
    if (held.phase === 'switch') {
      const described = await parts.table.describe()
      if (isSwapped(parts.migration, described) !== true) await held.change(switchChanges(before, after, described))
      else await held.change([{ kind: 'guard', guard: after.guard }])
      await held.to('catch-up')
    }
    // Rows that were written to the old columns between the comparison and now were emptied by the guard.
    const moving = await movingRows(parts, after)
    const { complete, progress } = await held.passes(pages(moving, (rows) => fillRows(moving, rows)))
    if (!complete || progress.counts.failed > 0) return { complete: false, progress }
    await held.to('switched')
    return { ...last, complete: true }
  })
}

/**
 * Drops what is not needed any more, for good: behind a switch the old columns, after every row was opened once more; behind
 * a rollback the encrypted columns that the migration made.
 *
 * @throws as `runMigration`
 */
export async function cleanMigration(parts: MigrationParts, options: MigrationOptions = {}): Promise<MigrationReport> {
  return runStep('clean', parts, options, async (held) => {
    if (held.phase === 'rolled-back') {
      const last = await follow(parts, held, options, true)
      if (!last.complete) return last
      await held.to('undo')
    }
    if (held.phase === 'undo') {
      const described = await parts.table.describe()
      const layout = layoutOf(parts.migration, false)
      // An application that knows the encrypted columns alone could not have inserted rows before.
      await held.change([...nullsToRefuse(layout, held.kept), ...undoChanges(layout, described, held.kept)])
      await held.finish('undone')
      return { complete: true }
    }
    if (held.phase === 'switched') {
      const last = await checkAfterSwitch(parts, held)
      if (!last.complete) return last
      await held.to('clean')
    }
    const described = await parts.table.describe()
    await held.change(cleanChanges(layoutOf(parts.migration, true), described))
    await held.finish('cleaned')
    return { complete: true }
  })
}

/**
 * Leads back: decrypts everything into the old columns and gives them their names back. Before the switch the old columns
 * are complete, and only checked; after `clean` they are made anew. The encrypted columns stay until `clean`, so that
 * applications can be changed one after the other: run it once more behind that.
 *
 * @throws as `runMigration`
 */
export async function rollbackMigration(
  parts: MigrationParts,
  options: MigrationOptions = {},
): Promise<MigrationReport> {
  return runStep('rollback', parts, options, async (held) => {
    const [before, after] = [layoutOf(parts.migration, false), layoutOf(parts.migration, true)]
    if (held.phase === 'recreate') {
      await held.change(columnsToRecreate(after, await parts.table.describe(), held.kept))
      await held.change([{ kind: 'guard', guard: after.guard }])
      await held.to('rollback', { ...held.kept, [SWITCHED]: 'yes' })
    }
    if (held.phase === 'rolled-back') return follow(parts, held, options)
    if (!['rollback', 'return', 'follow'].includes(held.phase)) {
      const isSwitched =
        isSwitchedPhase(held.phase) || isSwapped(parts.migration, await parts.table.describe()) === true
      await held.to('rollback', { ...held.kept, [SWITCHED]: isSwitched ? 'yes' : 'no' })
    }
    if (held.phase === 'rollback') {
      const layout = isSwapped(parts.migration, await parts.table.describe()) === true ? after : before
      const moving = await movingRows(parts, layout)
      const work = pages(moving, (rows) =>
        restoreRows(moving, rows, rightOf(held, options), held.kept[SWITCHED] === 'yes'),
      )
      const { complete, progress } = await held.passes({ ...work, isLast: onePass })
      if (!complete || progress.counts.failed > 0) return { complete: false, progress }
      await held.to('return')
    }
    if (held.phase === 'return') {
      const described = await parts.table.describe()
      if (isSwapped(parts.migration, described) === true) await held.change(returnChanges(before, after))
      // One that was cut short may have left no guard.
      else await held.change([{ kind: 'guard', guard: before.guard }])
      await held.to('follow')
    }
    return follow(parts, held, options)
  })
}

const SWITCHED = 'was switched'

/** Behind a switch the encrypted columns are right; before it, what differs is for the operator to decide. */
function rightOf({ kept }: HeldJob, { prefer }: MigrationOptions): Right {
  return kept[SWITCHED] === 'yes' ? 'new' : (prefer ?? 'neither')
}

/**
 * What an application wrote to the encrypted columns alone, while it was being replaced. It may still be writing, but for
 * the last time: then it is gone, and a whole pass must find nothing.
 */
async function follow(
  parts: MigrationParts,
  held: HeldJob,
  options: MigrationOptions,
  isLast = false,
): Promise<StepEnd> {
  const moving = await movingRows(parts, layoutOf(parts.migration, false))
  const { complete, progress } = await held.passes({
    ...pages(moving, (rows) => restoreRows(moving, rows, rightOf(held, options), false)),
    ...(isLast ? {} : { isLast: onePass }),
  })
  if (!complete || progress.counts.failed > 0) return { complete: false, progress }
  if (held.phase === 'follow') await held.to('rolled-back')
  return { complete: true, progress }
}

async function verify(parts: MigrationParts, held: HeldJob): Promise<StepEnd> {
  const end = await compare(parts, held)
  if (end.complete) await held.to('verified')
  return end
}
