import type { AllowedState } from '../keys/states.ts'
import { type ReencryptOptions, reencryptTable } from '../rotation/reencrypt.ts'
import type { JobReport } from '../rotation/run-job.ts'
import { openStrongroom } from '../strongroom.ts'
import { type JobCommandOptions, jobOptions, withJobOptions } from './job-options.ts'
import { commandConfig } from './open-keys.ts'
import { type Output, ProblemsFound } from './output.ts'
import { startProgress } from './progress.ts'
import { type RecordTable, recordTables } from './record-tables.ts'
import { table } from './table.ts'
import { untilInterrupted } from './until-interrupted.ts'
import { type Command, Option } from './vendor.ts'

interface ReencryptCommandOptions extends JobCommandOptions {
  readonly allow?: AllowedState[]
}

/** `strongroom reencrypt`: brings the rows of tables under the active keys. */
export function addReencrypt(program: Command, output: Output): void {
  const command = program.command('reencrypt').argument('[records...]', 'names in `tables`; all of them by default')
  withJobOptions(command)
    .description('Bring rows under the active keys, online. Can be stopped, killed and started again at any moment.')
    .addOption(
      new Option('--allow <states...>', 'also read rows under keys in these states').choices([
        'suspended',
        'compromised',
      ]),
    )
    .action(async (records: string[], options: ReencryptCommandOptions, command: Command) => {
      const config = await commandConfig(command)
      const wanted = recordTables(config, records)
      const room = await openStrongroom(config)
      const reports: (JobReport & { record: string })[] = []
      try {
        await untilInterrupted(async (signal) => {
          for (const one of wanted) {
            const settings = { ...jobOptions(options), signal, ...(options.allow && { allow: options.allow }) }
            const cipher = room.records[one.name] as (typeof room.records)[string]
            reports.push({
              record: one.name,
              ...(await withProgress(one, output, settings, (all) => reencryptTable(cipher, one.table, all))),
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

/** Runs a job over a table with a progress bar. */
export async function withProgress<Options extends ReencryptOptions>(
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
        display?.update(progress.counts.rows - seen)
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
