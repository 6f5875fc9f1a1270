import type { MigrationStep } from '../migration/phase.ts'
import { NEXT } from '../migration/phase.ts'
import type { MigrationPlan } from '../migration/plan.ts'
import type { MigrationReport } from '../migration/run-step.ts'
import type { MigrationState } from '../migration/state.ts'
import type { VerifiedSample } from '../migration/verify-sample.ts'
import type { RowKey } from '../row-key.ts'
import type { Output } from './output.ts'
import { printable } from './output.ts'
import { table } from './table.ts'

/** A plan, for people. */
export function printPlan(name: string, plan: MigrationPlan, output: Output): void {
  const { sample, estimate } = plan
  output.result(`${name} (${plan.table}): about ${number(plan.rows)} rows, ${size(plan.bytes)}`)
  const columns = plan.columns.map(({ field, from, fromType, reads, to, toType, exists, retiredAs }) => [
    field,
    `${from} (${fromType})`,
    reads,
    `${to} (${toType})${exists ? '' : ' is added'}`,
    retiredAs === undefined ? '-' : `${from} becomes ${retiredAs}, ${to} becomes ${field}`,
  ])
  output.result(table(output, ['field', 'from', 'read as', 'to', 'at the switch'], columns))
  const indexes = plan.indexes.map(({ column, bits, width, index, exists }) => [
    column,
    bits,
    width,
    exists ? 'there already' : `${index} is made`,
  ])
  if (indexes.length > 0) output.result(table(output, ['index column', 'bits', 'width', 'index'], indexes))
  for (const { name: index, columns: covered, unique } of plan.lostIndexes) {
    output.say(
      `index ${index} on ${covered.join(', ')} is dropped by clean${unique ? ', and with it that values are unique' : ''}`,
    )
  }
  printSteps(plan, ['run', 'switch', 'clean', 'rollback'], output)
  const looked = sample.all ? `all ${number(sample.rows)} rows` : `${number(sample.rows)} rows`
  output.result(
    `looked at ${looked}: ${number(sample.bytesPerRow)} bytes a row are added, ${size(estimate.bytes)} in all; about ${duration(estimate.seconds)} to fill and to compare`,
  )
  tellAside(output, sample.unreadable, sample.aside, 'have no value in an old column, and will be set aside')
  output.result(`at: ${plan.state.phase}; next: ${plan.state.next}`)
}

/** The statements of some steps. */
export function printSteps(plan: MigrationPlan, wanted: readonly string[], output: Output): void {
  for (const { step, statements } of plan.sql.filter((one) => wanted.includes(one.step))) {
    if (statements.length === 0) continue
    output.result(`\n-- ${step}`)
    for (const statement of statements) output.result(`${statement.split('\n').map(printable).join('\n')};`)
  }
  output.result('')
}

/** How a step ended. */
export function printReport(name: string, step: string, report: MigrationReport, output: Output): void {
  const { counts, phase, complete } = report
  const cells = [name, phase, counts.rows, counts.written, counts.changed, counts.failed]
  output.result(table(output, ['table', 'at', 'rows looked at', 'written', 'changed meanwhile', 'set aside'], [cells]))
  tellAside(output, counts.failed, report.aside, 'were set aside and left as they are')
  if (!complete && counts.failed === 0) output.say(`${name}: rows are still being changed: run it again`)
  if (complete) output.hint(NEXT[phase])
  else if (counts.failed > 0)
    output.hint(
      `put those rows right and run ${step as MigrationStep} again; see "Rows that are set aside" in docs/migration.md`,
    )
}

/** What a sample of rows says. */
export function printSample(name: string, { rows, waiting, failed, aside }: VerifiedSample, output: Output): void {
  output.result(table(output, ['table', 'rows compared', 'waiting', 'not right'], [[name, rows, waiting, failed]]))
  output.say(`${name}: a sample of ${number(rows)} rows, which proves nothing of the others; nothing is recorded`)
  tellAside(output, failed, aside, 'are not right')
}

/** Where a migration stands. */
export function printState(name: string, state: MigrationState, output: Output): void {
  const { counts } = state
  const cells = [name, state.phase, state.state, counts.rows, counts.written, counts.failed, state.seenAt ?? '-']
  output.result(table(output, ['table', 'at', 'job', 'rows looked at', 'written', 'set aside', 'last seen'], [cells]))
  tellAside(output, counts.failed, state.aside, 'were set aside')
  output.hint(state.next)
}

function tellAside(output: Output, count: number, keys: readonly RowKey[], what: string): void {
  if (count === 0) return
  const shown = keys.slice(0, 10).map((key) => key.join('/'))
  output.say(`${number(count)} rows ${what}: ${shown.join(', ')}${count > shown.length ? ', …' : ''}`)
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function size(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const at = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return `${number(bytes / 1024 ** at)} ${units[at]}`
}

function duration(seconds: number): string {
  if (seconds < 120) return `${number(seconds)} s`
  return seconds < 7200 ? `${number(seconds / 60)} min` : `${number(seconds / 3600)} h`
}
