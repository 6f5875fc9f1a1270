import { open, rm } from 'node:fs/promises'
import { CommandError } from './output.ts'

/** A file that waits for its report, for its owner alone. */
export interface ReportFile {
  /** Writes the report. */
  write(report: object): Promise<void>
  /** Closes the file, and removes it when no whole report was written. */
  close(): Promise<void>
}

/** Makes the file before the work whose report it takes. @throws CommandError when it cannot: nothing was done yet */
export async function reserveReport(path: string): Promise<ReportFile> {
  const file = await open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'EEXIST' ? 'it exists already' : cause.message
    throw new CommandError(`cannot write ${path}: ${why}; nothing was done`, {
      hint: 'name another file; an empty one is what a process that was killed left behind',
      cause,
    })
  })
  let written = false
  return {
    async write(report) {
      await file.writeFile(`${JSON.stringify(report, null, 2)}\n`)
      await file.sync()
      written = true
    },
    async close() {
      await file.close()
      if (!written) await rm(path, { force: true })
    },
  }
}
