import { MigrationStateError } from '../errors.ts'
import type { Job } from '../job.ts'
import type { Table } from '../table.ts'

/**
 * Where a migration stands. `verified`, `switched`, `rolled-back`, `cleaned` and `undone` are places to stay; in the others
 * something is being done, and running the same command again goes on with it.
 */
export type MigrationPhase =
  | 'add'
  | 'backfill'
  | 'index'
  | 'verify'
  | 'verified'
  | 'compare'
  | 'switch'
  | 'catch-up'
  | 'switched'
  | 'clean'
  | 'cleaned'
  | 'recreate'
  | 'rollback'
  | 'return'
  | 'follow'
  | 'rolled-back'
  | 'undo'
  | 'undone'

/** What an operator can ask for. */
export type MigrationStep = 'run' | 'verify' | 'switch' | 'clean' | 'rollback'

/** The phases that a step may begin in. A new migration has none. */
const ALLOWED: Readonly<Record<MigrationStep, readonly MigrationPhase[]>> = {
  run: ['add', 'backfill', 'index', 'verify', 'verified', 'compare', 'rolled-back'],
  verify: ['verify', 'verified', 'compare', 'switched'],
  switch: ['verified', 'compare', 'switch', 'catch-up', 'switched'],
  clean: ['switched', 'clean', 'rolled-back', 'undo'],
  rollback: [
    'add',
    'backfill',
    'index',
    'verify',
    'verified',
    'compare',
    'switch',
    'catch-up',
    'switched',
    'recreate',
    'rollback',
    'return',
    'follow',
    'rolled-back',
  ],
}

/** Phases in which the encrypted columns are the ones that applications write. */
const SWITCHED: readonly MigrationPhase[] = ['catch-up', 'switched', 'clean', 'cleaned', 'recreate']

/** What an operator does next. */
export const NEXT: Readonly<Record<MigrationPhase, string>> = {
  add: 'run goes on: it adds the columns',
  backfill: 'run goes on: it fills the encrypted columns',
  index: 'run goes on: it makes the indexes',
  verify: 'run compares every row once more',
  verified: 'deploy the application that writes both columns and reads the encrypted ones, then switch',
  compare: 'switch goes on: it compares every row once more',
  switch: 'switch goes on',
  'catch-up': 'switch goes on: rows are still written to the old columns',
  switched: 'deploy the application that knows the encrypted columns alone, then clean; rollback leads back',
  clean: 'clean goes on: it drops the old columns',
  cleaned: 'nothing: the migration is done; rollback makes the old columns anew',
  recreate: 'rollback goes on: it makes the old columns anew',
  rollback: 'rollback goes on: it decrypts into the old columns',
  return: 'rollback goes on: the old columns get their names back',
  follow: 'rollback goes on: it follows what was written meanwhile',
  'rolled-back':
    'deploy the application that knows the old columns alone, rollback once more, then clean; or run to go forward again',
  undo: 'clean goes on: it drops the encrypted columns',
  undone: 'nothing: the table is as it was before; run begins anew',
}

/** Whether the encrypted columns are the truth in this phase. */
export function isSwitchedPhase(phase: MigrationPhase): boolean {
  return SWITCHED.includes(phase)
}

/** @throws MigrationStateError when the step is not one for this phase */
export function assertAllowed(step: MigrationStep, phase: MigrationPhase | 'none', record: string): void {
  if (phase === 'none' ? step === 'run' : ALLOWED[step].includes(phase)) return
  const next = phase === 'none' ? 'plan shows what it will do, run begins' : NEXT[phase]
  const where = phase === 'none' ? 'has not begun' : `is at "${phase}"`
  throw new MigrationStateError(phase, `cannot ${step}: the migration of ${record} ${where}; ${next}`)
}

const MANY = 1000

/** The newest job of a migration, and the newest that came to its end; undefined when there never was one. */
export async function findMigrationJobs(
  table: Table,
  record: string,
  staleMs: number,
): Promise<{ now: Job | undefined; done: Job | undefined }> {
  const jobs = await table.jobs.list({ record, limit: MANY, staleMs })
  const own = jobs.filter(({ kind }) => kind === 'migrate')
  const done = own.find(({ state }) => state === 'done')
  return { now: own.find(({ state }) => state !== 'done') ?? done, done }
}
