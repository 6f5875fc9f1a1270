import { createOutput, type Output } from '../../src/cli/output.ts'
import { type Progress, startProgress } from '../../src/cli/progress.ts'
import { table } from '../../src/cli/table.ts'

/** A promise that the demonstration made and did not keep: it ends with exit code 1. */
export class BrokenPromise extends Error {}

/** Where the demonstration speaks: pretty on a terminal, plain when piped. */
export interface Stage {
  step(title: string): void
  tell(line: string): void
  table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void
  progress(label: string, total: number): Progress
  /** States a promise and whether it was kept. @throws BrokenPromise */
  promise(promise: string, kept: boolean): void
}

export function createStage(): Stage {
  const output: Output = createOutput(process)
  const { colours } = output
  let steps = 0
  return {
    step: (title) => output.result(`\n${colours.bold(colours.cyan(`${++steps}. ${title}`))}`),
    tell: (line) => output.result(`   ${line}`),
    table: (head, rows) => output.result(indent(table(output, head, rows))),
    progress: (label, total) => startProgress(output, { label: `   ${label}`, total, unit: 'rows' }),
    promise(promise, kept) {
      output.result(`   ${kept ? colours.green('ok  ') : colours.red('NOT ')}${promise}`)
      if (!kept) throw new BrokenPromise(promise)
    },
  }
}

function indent(lines: string): string {
  return lines.replace(/^/gm, '   ')
}
