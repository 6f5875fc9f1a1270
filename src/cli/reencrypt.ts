import type { JobQueue } from '../job-queue.ts'
import type { AllowedState } from '../keys/states.ts'
import type { RecordCipher } from '../records/record-cipher.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { MAX_RANGES, unfinishedRanges } from '../rotation/ranges.ts'
import { type ReencryptOptions, reencryptTable } from '../rotation/reencrypt.ts'
import { reencryptOnWorkers } from '../rotation/reencrypt-on-workers.ts'
import type { JobReport } from '../rotation/run-job.ts'
import { openStrongroom } from '../strongroom.ts'
import type { Table } from '../table.ts'
import { type JobCommandOptions, jobOptions, whole, withJobOptions } from './job-options.ts'
import { commandConfig } from './open-keys.ts'
import { CommandError, type Output, ProblemsFound } from './output.ts'
import { startProgress } from './progress.ts'
import { type RecordTable, recordTables } from './record-tables.ts'
import { table } from './table.ts'
import { untilInterrupted } from './until-interrupted.ts'
import { type Command, Option } from './vendor.ts'

interface ReencryptCommandOptions extends JobCommandOptions {
  readonly allow?: AllowedState[]
  readonly ranges?: number
}

/** `strongroom reencrypt`: brings the rows of tables under the active keys. */
export function addReencrypt(program: Command, output: Output): void {
  const command = program.command('reencrypt').argument('[records...]', 'names in `tables`; all of them by default')
  withJobOptions(command)
    .description('Bring rows under the active keys, online. Can be stopped, killed and started again at any moment.')
    .addOption(allowOption())
    .option(
      '--ranges <count>',
      'split the table into so many ranges, for `strongroom worker` on any number of machines',
      whole(2, MAX_RANGES),
    )
    .action(async (records: string[], options: ReencryptCommandOptions, command: Command) => {
      const config = await commandConfig(command)
      const wanted = recordTables(config, records)
      if (options.ranges !== undefined && config.queue === undefined) {
        throw new CommandError('the configuration has no queue', {
          exitCode: 2,
          hint: 'add `queue: pgBossQueue({ … })` from strongroom/pg-boss beside `tables`',
        })
      }
      const room = await openStrongroom(config)
      const reports: (JobReport & { record: string })[] = []
      try {
        await untilInterrupted(async (signal) => {
          for (const one of wanted) {
            const settings = { ...jobOptions(options), signal, ...(options.allow && { allow: options.allow }) }
            const cipher = room.records[one.name] as (typeof room.records)[string]
            reports.push({
              record: one.name,
              ...(await withProgress(one, output, settings, (all) =>
                options.ranges === undefined
                  ? reencryptHere(cipher, one.table, all)
                  : reencryptThere(
                      cipher,
                      one.table,
                      config.queue as JobQueue,
                      { ...all, ranges: options.ranges },
                      output,
                    ),
              )),
            })
          }
        }, 'run it again: it goes on where it stopped')
      } finally {
        await room.close()
      }
      if (options.json) output.json(reports)
      else print(reports, options.dryRun === true, output)
      if (reports.some(({ complete, counts }) => !complete || counts.failed > 0)) throw new ProblemsFound()
    })
}

/** Which keys beyond those in use a job may read under. */
export function allowOption(): Option {
  return new Option('--allow <states...>', 'also read rows under keys in these states').choices([
    'suspended',
    'compromised',
  ])
}

type Cipher = RecordCipher<AnyRecord>

/** By this process alone. Ranges that workers have left are finished first: nothing waits for a queue that is gone. */
async function reencryptHere(cipher: Cipher, rows: Table, options: ReencryptOptions): Promise<JobReport> {
  const { name: record } = cipher.schema
  const { dryRun = false, staleMs = 60_000 } = options
  const left = dryRun ? [] : await unfinishedRanges(rows, { kind: 'reencrypt', record, phase: 'reencrypt', staleMs })
  for (const { from, until } of left) {
    await reencryptTable(cipher, rows, { ...options, ...(from && { from }), ...(until && { until }), onePass: true })
  }
  return reencryptTable(cipher, rows, options)
}

const QUIET_MS = 10_000

/** By workers; says so when there seem to be none. */
async function reencryptThere(
  cipher: Cipher,
  rows: Table,
  queue: JobQueue,
  options: ReencryptOptions & { ranges: number },
  output: Output,
): Promise<JobReport> {
  let seen = -1
  let since = performance.now()
  return reencryptOnWorkers(cipher, rows, queue, {
    ...options,
    onProgress: (progress) => {
      options.onProgress?.(progress)
      if (progress.counts.rows !== seen) {
        seen = progress.counts.rows
        since = performance.now()
      } else if (performance.now() - since > QUIET_MS) {
        output.hint('nobody works: run `strongroom worker` on this or any other machine')
        since = Number.POSITIVE_INFINITY
      }
    },
  })
}

/** Runs a job over a table with a progress bar. */
async function withProgress<Options extends ReencryptOptions>(
  { name, table: rows }: RecordTable,
  output: Output,
  options: Options,
  work: (options: Options) => Promise<JobReport>,
): Promise<JobReport> {
  const { estimatedRows } = await rows.describe()
  let pass = 0
  let seen = 0
  let display: ReturnType<typeof startProgress> | undefined
  try {
    return await work({
      ...options,
      onProgress: (progress) => {
        if (progress.pass !== pass) {
          display?.end()
          seen = pass === 0 ? 0 : progress.counts.rows
          pass = progress.pass
          const label = pass === 1 ? name : `${name}, pass ${pass}`
          display = startProgress(output, { label, total: Math.max(estimatedRows, 1), unit: 'rows' })
        }
        display?.update(progress.counts.rows - seen, progress.counts.failed)
      },
    })
  } finally {
    display?.end()
  }
}

function print(reports: readonly (JobReport & { record: string })[], dryRun: boolean, output: Output): void {
  const head = [
    'table',
    'rows looked at',
    dryRun ? 'would write' : 'written',
    'changed meanwhile',
    'unreadable',
    'passes',
  ]
  const rows = reports.map(({ record, counts, passes }) => [
    record,
    counts.rows,
    counts.written,
    counts.changed,
    counts.failed,
    passes,
  ])
  output.result(table(output, head, rows))
  for (const { record, complete, aside, counts } of reports) {
    if (!complete) output.say(`${record}: rows are still being written under old keys; run it again`)
    if (counts.failed === 0) continue
    const shown = aside.slice(0, 10).map((key) => key.join('/'))
    output.say(`${record}: ${counts.failed} rows cannot be decrypted and were left as they are: ${shown.join(', ')}`)
    output.hint('see "Rows that cannot be read" in docs/reencryption.md')
  }
}
