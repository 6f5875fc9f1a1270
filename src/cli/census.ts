import { writeFile } from 'node:fs/promises'
import { type Census, census } from '../rotation/census.ts'
import { censusPage } from './census-page.ts'
import { commandConfig } from './open-keys.ts'
import { type Output, ProblemsFound } from './output.ts'
import { closeTables, recordTables } from './record-tables.ts'
import { table } from './table.ts'
import type { Command } from './vendor.ts'

interface CensusOptions {
  readonly json?: true
  readonly html?: string
  readonly check?: true
}

/** `strongroom census`: how many rows are under which key. Decrypts nothing, changes nothing. */
export function addCensus(program: Command, output: Output): void {
  program
    .command('census')
    .argument('[records...]', 'names in `tables`; all of them by default')
    .description('Count rows by the key that each column names, in SQL alone. Decrypts and changes nothing.')
    .option('--json', 'print the counts for programs')
    .option('--html <file>', 'also write a page with a chart')
    .option('--check', 'exit 1 unless everything is under an active key')
    .action(async (records: string[], options: CensusOptions, command: Command) => {
      const config = await commandConfig(command)
      const wanted = recordTables(config, records)
      const counted: Census[] = []
      try {
        for (const { schema, table: rows } of wanted) {
          counted.push(await census(schema, rows, { app: config.name, store: config.store }))
        }
      } finally {
        await Promise.allSettled([closeTables(config), config.store.close?.()])
      }
      if (options.html !== undefined) await writeFile(options.html, censusPage(config.name, counted))
      if (options.json) output.json(counted)
      else print(counted, output)
      if (options.check && counted.some(({ outdated }) => outdated > 0)) throw new ProblemsFound()
    })
}

const MAX_ROWS = 40

function print(counted: readonly Census[], output: Output): void {
  for (const { record, table: name, counts, outdated, outgrown } of counted) {
    const rows = counts
      .slice(0, MAX_ROWS)
      .map(({ column, holds, keyId, state, version, current, rows }) => [
        column,
        holds === 'foreign' ? 'plaintext or foreign' : holds,
        keyId ?? (version === undefined ? '-' : `index key ${version}`),
        state ?? (current === undefined ? '-' : current ? 'active' : 'older'),
        rows,
      ])
    output.result(`${record} (${name})`)
    output.result(table(output, ['column', 'holds', 'key', 'state', 'rows'], rows))
    if (counts.length > MAX_ROWS)
      output.result(`… and ${(counts.length - MAX_ROWS).toLocaleString('en')} more keys: --json shows all`)
    output.result(
      outdated === 0
        ? 'everything is under an active key\n'
        : `${outdated.toLocaleString('en')} values are not under an active key\n`,
    )
    for (const { column, rows, warnAtRows } of outgrown) {
      const [found, planned] = [rows, warnAtRows / 4].map((count) => count.toLocaleString('en'))
      output.hint(
        `${record}.${column} has ${found} rows under one key and was planned for ${planned}: raise its \`rows\``,
      )
    }
  }
}
