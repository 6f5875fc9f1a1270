import { MAX_AGE_DAYS } from '../doctor/ages.ts'
import { countAloud } from './count-aloud.ts'
import { countKeys, type KeyCensus } from './key-census.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import type { Output } from './output.ts'
import { table } from './table.ts'
import type { Command } from './vendor.ts'

/** `strongroom status`: how many keys there are, how old, and what they are wrapped by. Changes nothing. */
export function addStatus(program: Command, output: Output): void {
  program
    .command('status')
    .description('Count keys by purpose and state, their ages, and what wraps them. Changes nothing.')
    .option('--json', 'print the counts for programs')
    .action(async (options: { json?: true }, command: Command) => {
      const onProgress = countAloud(output, 'status', 'keys')
      const census = await withKeys(await commandConfig(command), (keys) =>
        countKeys(keys, { maxDays: MAX_AGE_DAYS, now: new Date(), onProgress }),
      )
      if (options.json) output.json(census)
      else print(census, output)
    })
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
