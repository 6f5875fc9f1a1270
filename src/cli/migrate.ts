import type { StrongroomConfig } from '../config.ts'
import type { Migration } from '../migration/define-migration.ts'
import {
  cleanMigration,
  rollbackMigration,
  runMigration,
  switchMigration,
  verifyMigration,
} from '../migration/migrate.ts'
import type { MigrationStep } from '../migration/phase.ts'
import { planMigration } from '../migration/plan.ts'
import type { MigrationOptions, MigrationParts, MigrationReport } from '../migration/run-step.ts'
import { migrationState } from '../migration/state.ts'
import { verifySample } from '../migration/verify-sample.ts'
import { openStrongroom } from '../strongroom.ts'
import { confirm } from './confirm.ts'
import { decimal } from './decimal.ts'
import { type JobCommandOptions, jobOptions, withJobOptions } from './job-options.ts'
import { printPlan, printReport, printSample, printState, printSteps } from './migrate-print.ts'
import { migrateProgress } from './migrate-progress.ts'
import { commandConfig } from './open-keys.ts'
import { CommandError, type Output, ProblemsFound } from './output.ts'
import { closeTables, type RecordTable, recordTables } from './record-tables.ts'
import { untilInterrupted } from './until-interrupted.ts'
import { Argument, type Command, InvalidArgumentError, Option } from './vendor.ts'

interface MigrateCommandOptions extends JobCommandOptions {
  readonly sample?: number
  readonly prefer?: 'old' | 'new'
  readonly yes?: true
}

const STEPS = ['plan', 'run', 'verify', 'switch', 'clean', 'rollback', 'status'] as const
type Step = (typeof STEPS)[number]

const RUNS: Readonly<
  Record<MigrationStep, (parts: MigrationParts, options: MigrationOptions) => Promise<MigrationReport>>
> = {
  run: runMigration,
  verify: verifyMigration,
  switch: switchMigration,
  clean: cleanMigration,
  rollback: rollbackMigration,
}

/** `strongroom migrate`: a table that holds plaintext, or what another library wrote, becomes an encrypted one. */
export function addMigrate(program: Command, output: Output): void {
  const command = program
    .command('migrate')
    .argument('<record>', 'a name in `migrations`')
    .addArgument(new Argument('[step]', 'what to do').choices(STEPS).default('plan'))
  withJobOptions(command)
    .description(
      'Encrypt a table online, step by step: plan, run, verify, switch, clean; or rollback. `plan` changes nothing.',
    )
    .option(
      '--sample <rows>',
      'plan: rows to look at; verify: compare only about so many, which proves nothing of the others',
      rows,
    )
    .addOption(
      new Option('--prefer <side>', 'which side is right where both hold a value and they differ').choices([
        'old',
        'new',
      ]),
    )
    .option('--yes', 'do not ask before something is dropped')
    .action(async (name: string, step: Step, options: MigrateCommandOptions, command: Command) => {
      const config = await commandConfig(command)
      const { one, migration } = findMigration(config, name)
      if (step === 'status' || step === 'plan' || options.dryRun) {
        await look(one, migration, { step, options, output, config })
      } else {
        if (step === 'clean') await confirmClean(one, migration, output, options.yes === true)
        await act(one, migration, { step, options, output, config })
      }
    })
}

interface Call<Of = Step> {
  readonly step: Of
  readonly options: MigrateCommandOptions
  readonly output: Output
  readonly config: StrongroomConfig
}

/** Needs no key, and changes nothing. */
async function look(
  { name, table }: RecordTable,
  migration: Migration,
  { step, options, output, config }: Call,
): Promise<void> {
  try {
    if (step === 'status') {
      const state = await migrationState(table, migration.record.name, options.staleAfter)
      return options.json ? output.json(state) : printState(name, state, output)
    }
    await untilInterrupted(async (signal) => {
      const { estimatedRows } = await table.describe()
      // A dry run of `run` looks at every row, as it would.
      const wanted = step === 'run' ? undefined : (options.sample ?? 1000)
      const progress = migrateProgress(output, name, Math.min(wanted ?? Number.POSITIVE_INFINITY, estimatedRows))
      const rows = wanted === undefined ? {} : { rows: wanted }
      const plan = await planMigration(table, migration, {
        ...rows,
        batch: options.batch,
        signal,
        onRows: progress.rows,
      })
      progress.end()
      if (options.json) output.json(plan)
      else if (step === 'plan') printPlan(name, plan, output)
      else printSteps(plan, [step], output)
      if (plan.sample.unreadable > 0) throw new ProblemsFound()
    }, 'run it again')
  } finally {
    await Promise.allSettled([closeTables(config), config.store.close?.()])
  }
}

async function act(
  { name, table }: RecordTable,
  migration: Migration,
  { step, options, output, config }: Call,
): Promise<void> {
  const room = await openStrongroom(config)
  try {
    const parts: MigrationParts = { cipher: room.records[name] as (typeof room.records)[string], table, migration }
    await untilInterrupted(async (signal) => {
      if (step === 'verify' && options.sample !== undefined) {
        const sample = await verifySample(parts, options.sample, signal)
        if (options.json) output.json({ record: name, sample: true, ...sample })
        else printSample(name, sample, output)
        if (sample.failed > 0) throw new ProblemsFound()
        return
      }
      const { dryRun: _, ...job } = jobOptions(options)
      const progress = migrateProgress(output, name, (await table.describe()).estimatedRows)
      const { onPhase, onProgress } = progress
      const prefer = options.prefer === undefined ? {} : { prefer: options.prefer }
      const settings: MigrationOptions = { ...job, signal, onPhase, onProgress, ...prefer }
      const report = await RUNS[step as MigrationStep](parts, settings).finally(progress.end)
      if (options.json) output.json({ record: name, step, ...report })
      else printReport(name, step, report, output)
      if (!report.complete) throw new ProblemsFound()
    }, `strongroom migrate ${name} ${step}: goes on where it stopped`)
  } finally {
    await room.close()
  }
}

function findMigration(config: StrongroomConfig, name: string): { one: RecordTable; migration: Migration } {
  const { migrations = {} } = config
  const migration = Object.hasOwn(migrations, name) ? migrations[name] : undefined
  if (migration === undefined) {
    throw new CommandError(`the configuration has no migration ${name}`, {
      exitCode: 2,
      hint: `migrations: ${Object.keys(migrations).join(', ') || 'none; see docs/migration.md'}`,
    })
  }
  return { one: recordTables(config, [name])[0] as RecordTable, migration }
}

async function confirmClean(
  { name, table }: RecordTable,
  { record }: Migration,
  output: Output,
  yes: boolean,
): Promise<void> {
  const { phase } = await migrationState(table, record.name)
  const what = phase === 'rolled-back' || phase === 'undo' ? 'encrypted' : 'old'
  await confirm(output, `clean drops the ${what} columns of ${table.name}, and all that is in them`, name, yes)
}

function rows(text: string): number {
  const value = decimal(text)
  if (Number.isInteger(value) && value >= 1 && value <= 1_000_000_000) return value
  throw new InvalidArgumentError('a whole number of rows')
}
