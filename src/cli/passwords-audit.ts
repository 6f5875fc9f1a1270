import type { PasswordHasher, PasswordInspection } from '../passwords/password-hasher.ts'
import { type Output, ProblemsFound } from './output.ts'
import { type RawOptions, withInspector } from './password-hasher.ts'
import { eachRow } from './password-rows.ts'
import { type PasswordTableOptions, withPasswordTable, withRawOptions, withTableOptions } from './password-table.ts'
import { table } from './table.ts'
import type { Command } from './vendor.ts'

interface Group extends PasswordInspection {
  count: number
}

interface AuditOptions extends PasswordTableOptions, RawOptions {
  readonly json?: true
  readonly check?: true
}

/** `strongroom passwords audit`: how the passwords of a table are stored. Reads; writes nothing. */
export function addPasswordsAudit(parent: Command, output: Output): void {
  withRawOptions(withTableOptions(parent.command('audit')))
    .description('Count the stored passwords of a table by scheme and cost.')
    .option('--check', 'end with 1 when any is below the OWASP minimum or unreadable')
    .option('--json', 'print the result for programs')
    .action(async (options: AuditOptions, command: Command) => {
      const { groups, rows } = await withInspector(options, command, (hasher) => audit(options, hasher, output))
      const all = [...groups.values()].sort((a, b) => b.count - a.count)
      const count = (wanted: (group: Group) => boolean) =>
        all.reduce((sum, group) => sum + (wanted(group) ? group.count : 0), 0)
      const totals = {
        rows,
        withoutPassword: rows - count(() => true),
        belowFloor: count((group) => group.belowFloor),
        wrapped: count((group) => group.wrapped),
        peppered: count((group) => group.scheme === 'peppered'),
        unusable: count((group) => group.scheme === 'unusable'),
        unreadable: count((group) => group.scheme === 'unreadable'),
      }
      if (options.json) output.json({ ...totals, schemes: all })
      else print(all, totals, output)
      if (options.check && totals.belowFloor + totals.unreadable > 0) throw new ProblemsFound()
    })
}

async function audit(options: PasswordTableOptions, hasher: PasswordHasher, output: Output) {
  const groups = new Map<string, Group>()
  const rows = await withPasswordTable(options, output, (table) =>
    eachRow(table, 'audit', output, async (_id, stored) => add(groups, hasher.inspect(stored))),
  )
  return { groups, rows }
}

function add(groups: Map<string, Group>, inspection: PasswordInspection): void {
  const key = JSON.stringify(inspection)
  const group = groups.get(key) ?? { ...inspection, count: 0 }
  group.count++
  groups.set(key, group)
}

function print(groups: readonly Group[], totals: Record<string, number>, output: Output): void {
  const rows = groups.map(({ scheme, cost, wrapped, belowFloor, count }) => [
    scheme,
    cost || '-',
    count,
    belowFloor ? 'below the minimum' : wrapped ? 'wrapped' : '-',
  ])
  output.result(table(output, ['scheme', 'cost', 'users', 'state'], rows))
  for (const [name, count] of Object.entries(totals)) output.result(`${LABELS[name]}: ${count.toLocaleString('en')}`)
  if ((totals.belowFloor as number) > 0) output.hint('`strongroom passwords wrap` protects the weak ones now')
  if ((totals.unreadable as number) > 0) output.hint('bare digests are read with --raw <algorithm>')
}

const LABELS: Record<string, string> = {
  rows: 'users',
  withoutPassword: 'without a password',
  belowFloor: 'below the OWASP minimum',
  wrapped: 'wrapped',
  peppered: 'peppered',
  unusable: 'unusable',
  unreadable: 'unreadable',
}
