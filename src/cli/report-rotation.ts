import { writeFile } from 'node:fs/promises'
import { type RotationReport, rotationReport } from '../rotation/report.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { type Output, ProblemsFound } from './output.ts'
import { closeTables } from './record-tables.ts'
import { table } from './table.ts'
import type { Command } from './vendor.ts'

/** `strongroom report rotation`: keys and rows counted now, with a proof. */
export function addReportRotation(report: Command, output: Output): void {
  report
    .command('rotation')
    .description('Count every key and every row of the configured tables, and prove the counts. Decrypts nothing.')
    .option('--out <file>', 'write the report there as well; the file must not exist')
    .option('--check', 'exit 1 unless everything was counted and is under an active key, and no job is unfinished')
    .option('--json', 'print the report for programs')
    .action(async (options: { out?: string; check?: true; json?: true }, command: Command) => {
      const config = await commandConfig(command)
      try {
        const made = await withKeys(config, (keys) => rotationReport(config, keys))
        if (options.out !== undefined) await writeReport(options.out, made)
        if (options.json) output.json(made)
        else print(made, output)
        if (options.check && !made.complete) throw new ProblemsFound()
      } finally {
        await closeTables(config)
      }
    })
}

/** Writes a report into a file of its own, for its owner alone. */
export async function writeReport(path: string, report: object): Promise<void> {
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`, { flag: 'wx', mode: 0o600 })
}

function print({ at, keys, tables, uncounted, jobs, complete }: RotationReport, output: Output): void {
  const { green, red } = output.colours
  const counts = keys.map(({ purpose, state, keys: count }) => [purpose, state, count])
  output.result(table(output, ['purpose', 'state', 'keys'], counts))
  if (tables.length > 0) {
    const rows = tables.map(({ record, table: name, outdated }) => [record, name, outdated])
    output.result(table(output, ['record', 'table', 'values not under an active key'], rows))
  }
  for (const record of uncounted) output.say(`${record} has no table: it was not counted`)
  for (const { kind, record, state } of jobs) output.say(`${kind} of ${record} is ${state}`)
  output.result(complete ? green(`complete at ${at}`) : red(`not complete at ${at}`))
}
