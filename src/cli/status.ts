import type { StrongroomConfig } from '../config.ts'
import { MAX_AGE_DAYS } from '../doctor/ages.ts'
import type { Job } from '../job.ts'
import { countAloud } from './count-aloud.ts'
import { countKeys, type KeyCensus } from './key-census.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import type { Output } from './output.ts'
import { closeTables } from './record-tables.ts'
import { table } from './table.ts'
import type { Command } from './vendor.ts'

/** `strongroom status`: how many keys there are, how old, what they are wrapped by, and which jobs are not done. Changes nothing. */
export function addStatus(program: Command, output: Output): void {
  program
    .command('status')
    .description(
      'Count keys by purpose and state, their ages, what wraps them, and jobs that are not done. Changes nothing.',
    )
    .option('--json', 'print the counts for programs')
    .action(async (options: { json?: true }, command: Command) => {
      const onProgress = countAloud(output, 'status', 'keys')
      const config = await commandConfig(command)
      const census = await withKeys(config, (keys) =>
        countKeys(keys, { maxDays: MAX_AGE_DAYS, now: new Date(), onProgress }),
      )
      const jobs = await unfinishedJobs(config)
      if (options.json) return output.json({ ...census, jobs })
      print(census, output)
      printJobs(jobs, output)
    })
}

const STALE_MS = 60_000
const MAX_JOBS = 1000

/** The jobs over the configured tables that are running, or wait to be started again. */
async function unfinishedJobs(config: StrongroomConfig): Promise<Job[]> {
  try {
    const lists = Object.values(config.tables ?? {}).map((table) =>
      table?.jobs.list({ limit: MAX_JOBS, staleMs: STALE_MS }),
    )
    const jobs = (await Promise.all(lists)).flatMap((list) => list ?? [])
    const open = jobs.filter(({ state }) => state !== 'done')
    return [...new Map(open.map((job) => [job.id, job])).values()] // tables of one database share their jobs
  } finally {
    await closeTables(config)
  }
}

function printJobs(jobs: readonly Job[], output: Output): void {
  if (jobs.length === 0) return
  const rows = jobs.map(({ kind, record, state, abandoned, progress, seenAt }) => [
    kind,
    record,
    `${abandoned ? 'abandoned' : state}${progress.error === undefined ? '' : ` (${progress.error})`}`,
    progress.counts.rows,
    seenAt,
  ])
  output.result(table(output, ['job', 'of', 'state', 'rows looked at', 'last seen'], rows))
  const waiting = jobs.filter(({ state, abandoned }) => state !== 'running' || abandoned)
  const hint = ({ kind, record }: Job) =>
    kind === 'migrate'
      ? `strongroom migrate ${record} status: says what comes next`
      : `strongroom ${kind} ${record}: goes on where it stopped`
  for (const line of new Set(waiting.map(hint))) {
    output.hint(line)
  }
}

function print({ counts, ages, wraps }: KeyCensus, output: Output): void {
  const { red } = output.colours
  const show = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
    output.result(`${table(output, head, rows)}\n`)
  show(
    ['purpose', 'state', 'keys'],
    counts.map(({ purpose, state, keys }) => [purpose, state, keys]),
  )
  show(
    ['active keys', 'oldest, days', 'allowed', 'too old'],
    ages.map(({ purpose, oldestDays, maxDays, overdue }) => [purpose, oldestDays, maxDays, overdue]),
  )
  show(
    ['wrapped by', 'key', 'keys'],
    wraps.map(({ provider, keyId, keys }) => [provider, keyId, keys]),
  )
  const late = ages.filter(({ overdue }) => overdue > 0)
  for (const { purpose, overdue } of late) output.result(red(`${overdue.toLocaleString('en')} ${purpose} overdue`))
  for (const { purpose } of late) {
    output.hint(`strongroom rotate --purpose ${purpose}${purpose === 'root' ? '' : ' --all'}`)
  }
}
