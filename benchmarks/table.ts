import { isMet, type Result, type Target } from './result.ts'

/** The results as a plain table. */
export function formatTable(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.id,
    result.what,
    result.missing === undefined ? result.measured : result.missing,
    result.target === undefined ? '' : formatTarget(result.target),
    verdict(result),
  ])
  const head = ['', 'what', 'measured', 'target', '']
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => (row[at] as string).length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] as number))
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function formatTarget(target: Target): string {
  return 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`
}

function verdict(result: Result): string {
  const met = isMet(result)
  return met === undefined ? '' : met ? 'ok' : 'MISS'
}
