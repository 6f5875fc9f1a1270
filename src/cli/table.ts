import { type Output, printable } from './output.ts'
import { CliTable } from './vendor.ts'

/** Rows under a heading: with lines on a terminal, plain columns when piped. */
export function table(
  output: Output,
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const terminal = output.stdout.isTTY === true
  const drawn = new CliTable({
    head: head.map((title) => output.colours.bold(title)),
    style: { head: [], border: [], ...(terminal ? {} : { 'padding-left': 0, 'padding-right': 2 }) },
    ...(terminal ? {} : { chars: NO_LINES }),
    colAligns: head.map((_, column) => (rows.some((row) => typeof row[column] === 'string') ? 'left' : 'right')),
  })
  for (const row of rows)
    drawn.push(row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : printable(cell))))
  return drawn.toString().replace(/ +$/gm, '')
}

const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((name) => [name, '']),
)
