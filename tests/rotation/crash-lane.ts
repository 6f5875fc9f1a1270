import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** What was done to all lanes. */
export interface Totals {
  readonly kills: Record<string, number>
  finished: number
  updates: number
  inserts: number
  deletes: number
}

/** One table with its keys, its writers, and the operations that are killed on it. */
export interface Lane {
  readonly script: string
  readonly folder: string
  readonly connectionString: string
  readonly table: string
  readonly random: () => number
  readonly totals: Totals
}

/** The steps of an operation, in the order in which it meets them. */
const TABLE_STEPS = ['start', 'page', 'write', 'checkpoint'].flatMap((what) => [
  `before ${what}`,
  `during ${what}`,
  `after ${what}`,
])
const CHANGE_STEPS = ['before change', 'during change', 'after change']
const COMMIT_STEPS = ['before commit', 'during commit', 'after commit']
export const STEPS: Readonly<Record<string, readonly string[]>> = {
  rotate: COMMIT_STEPS,
  'rotate-index': COMMIT_STEPS,
  reencrypt: TABLE_STEPS,
  retire: COMMIT_STEPS,
  migrate: [...TABLE_STEPS, ...CHANGE_STEPS],
  switch: [...TABLE_STEPS, ...CHANGE_STEPS],
  clean: [...TABLE_STEPS, ...CHANGE_STEPS],
  rollback: [...TABLE_STEPS, ...CHANGE_STEPS],
}

/** A pass over the few rows takes about so long. */
const RANDOM_MS = 150
/** Behind a kill, a job may be taken over after its holder was silent for so long. */
const STALE_MS = 1050
const DONE = 0
const NOT_NOW = 3
const UNFINISHED = 4

/**
 * Does an operation to its end, killed on the way: at each of the steps in turn, and so many times at a random moment.
 * Each attempt goes on where the one before was killed.
 */
export async function killed(lane: Lane, operation: string, steps: readonly string[], atRandom: number): Promise<void> {
  const { random, totals } = lane
  const plan = [
    ...steps.map((step): [string, number] => [step, isRepeated(operation, step) ? 1 + Math.floor(random() * 3) : 1]),
    ...Array.from({ length: atRandom }, (): [string, number] => ['time', Math.floor(random() * RANDOM_MS)]),
  ]
  let isBegun = false
  for (const [step, times] of plan) {
    const end = await attempt(lane, operation, step, times)
    if (end === 'SIGKILL') {
      totals.kills[operation] = (totals.kills[operation] ?? 0) + 1
      if (STEPS[operation] !== COMMIT_STEPS) await sleep(STALE_MS)
    } else if (end === NOT_NOW && !(await isSentBack(lane, operation))) break
    isBegun = true
  }
  for (let again = 1; ; again++) {
    const end = await attempt(lane, operation, 'none', 1)
    // Killed behind its last step it has come to its end, and is not to be done again.
    if (end === DONE) break
    if (end === NOT_NOW && isBegun && !(await isSentBack(lane, operation))) break
    if (end === NOT_NOW && isBegun) continue
    if (end !== UNFINISHED || again === 10) throw new Error(`${operation} of ${lane.table} ended with ${end}`)
  }
  totals.finished++
}

/** Whether a step comes several times in every run, so that another than the first can be met. */
function isRepeated(operation: string, step: string): boolean {
  return ['migrate', 'reencrypt'].includes(operation) && /page|write/.test(step)
}

/** A switch that is killed while it compares every row once more is begun with that comparison again. */
async function isSentBack(lane: Lane, operation: string): Promise<boolean> {
  return operation === 'switch' && (await attempt(lane, 'migrate', 'none', 1)) !== NOT_NOW
}

async function attempt(lane: Lane, operation: string, dieAt: string, times: number): Promise<number | string> {
  const args = [lane.script, operation, lane.folder, lane.connectionString, lane.table, dieAt, String(times)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (signal === null && ![DONE, NOT_NOW, UNFINISHED].includes(code as number)) {
    throw new Error(`${operation} of ${lane.table} failed: ${said.slice(-2000)}`)
  }
  return signal ?? (code as number)
}

/** What an application does to its rows. */
export interface Application {
  update(id: number, note: string): Promise<void>
  insert(id: number): Promise<void>
  remove(id: number): Promise<void>
}

/** The application: it never waits for a job, and remembers what it wrote, by id. */
export class Writer {
  readonly expected: Map<number, string | null>
  /** Replaced when the application is deployed anew. */
  application: Application
  readonly #lane: Lane
  #next: number
  #writing: Promise<void> | undefined
  #isOn = false

  constructor(lane: Lane, application: Application, expected: Map<number, string | null>) {
    this.#lane = lane
    this.application = application
    this.expected = expected
    this.#next = Math.max(...expected.keys()) + 1
  }

  start(noteOf: (id: number) => string | null): void {
    this.#isOn = true
    this.#writing = this.#write(noteOf)
    this.#writing.catch(() => undefined)
  }

  /** @throws what a write threw */
  async stop(): Promise<void> {
    this.#isOn = false
    await this.#writing
  }

  async #write(noteOf: (id: number) => string | null): Promise<void> {
    const { random, totals } = this.#lane
    while (this.#isOn) {
      const ids = [...this.expected.keys()]
      const id = ids[Math.floor(random() * ids.length)] as number
      const what = random()
      if (what < 0.8) {
        const note = `update ${totals.updates++}`
        await this.application.update(id, note)
        this.expected.set(id, note)
      } else if (what < 0.9) {
        const added = this.#next++
        await this.application.insert(added)
        this.expected.set(added, noteOf(added))
        totals.inserts++
      } else {
        await this.application.remove(id)
        this.expected.delete(id)
        totals.deletes++
      }
      await sleep(5)
    }
  }
}

/** Numbers from 0 to 1, the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
