import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('rotation-worker.ts', import.meta.url))
const RUNS_TYPESCRIPT = ['--import', new URL('strip-types.mjs', import.meta.url).href]

/** What a process did, and what it used for it. */
export interface Used {
  readonly written: number
  /** Of the processor. */
  readonly seconds: number
  readonly mib: number
}

/** Part of a table to re-encrypt: behind `from`, up to and with `until`; `onePass` without the pass that proves it complete. */
export interface Range {
  readonly from?: string
  readonly until?: string
  readonly onePass?: boolean
}

/** A process that re-encrypts a range of a table each time it is told to. */
export class RotationChild {
  readonly #process: ChildProcess

  private constructor(child: ChildProcess) {
    this.#process = child
  }

  static async start(folder: string, url: string, table: string, range: Range = {}): Promise<RotationChild> {
    const child = fork(PROGRAM, [folder, url, table, JSON.stringify(range)], { execArgv: RUNS_TYPESCRIPT })
    await once(child, 'message')
    return new RotationChild(child)
  }

  async work(): Promise<Used> {
    const done = once(this.#process, 'message') as Promise<[Used]>
    this.#process.send('go')
    return (await done)[0]
  }

  stop(): void {
    this.#process.disconnect()
  }
}
