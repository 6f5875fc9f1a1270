import { setTimeout as sleep } from 'node:timers/promises'
import { cleanMigration, rollbackMigration, runMigration, switchMigration } from '../../src/migration/migrate.ts'
import type { RecordCipher } from '../../src/records/record-cipher.ts'
import type { AnyRecord } from '../../src/records/record-types.ts'
import { reencryptTable } from '../../src/rotation/reencrypt.ts'
import { retireKey, retireVerdict } from '../../src/rotation/retire.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { configureNotes, migration } from './crash-notes.ts'
import { configure } from './people.ts'

/** Does one operation, and dies without warning at the n-th occurrence of a step, or after some ms. Exits with 3 when it is not allowed now. */
const [operation, folder, connectionString, name, dieAt, times] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
]
const config = name.endsWith('notes')
  ? configureNotes(folder, connectionString, name)
  : configure(folder, connectionString, name)
const [record, table] = Object.entries(config.tables ?? {})[0] as unknown as [string, Table]
let left = Number(times)

/** Dies before, behind, or in the middle of what is done. */
async function step<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const die = (when: string) => {
    if (`${when} ${what}` === dieAt && --left === 0) process.kill(process.pid, 'SIGKILL')
  }
  die('before')
  const doing = work()
  die('during')
  const done = await doing
  die('after')
  if (what === 'start') dieLater()
  return done
}

/** At a random moment of the work itself, not of the start of this process. */
function dieLater(): void {
  if (dieAt === 'time') setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(times))
}

const watched: Table = {
  ...table,
  page: (query) => step('page', () => table.page(query)),
  write: (changes, job) => step('write', () => table.write(changes, job)),
  run: (statements) => step('change', () => table.run(statements)),
  jobs: {
    ...table.jobs,
    start: (options) => step('start', () => table.jobs.start(options)),
    write: (job) => step('checkpoint', () => table.jobs.write(job)),
  },
}
const { store } = config
const watchedStore = {
  ...store,
  commit: (change: Parameters<typeof store.commit>[0]) => step('commit', () => store.commit(change)),
}

const room = await openStrongroom({ ...config, store: watchedStore } as never)
const cipher = Object.values(room.records)[0] as unknown as RecordCipher<AnyRecord>
const options = { batch: 40, staleMs: 1000 }
const parts = { cipher, table: watched, migration }
const operations = {
  rotate: async () => (await room.keys.rotate({ scope: 'all' })).length > 0,
  'rotate-index': async () => (await room.keys.rotate({ scope: 'all', purpose: 'index' })).length > 0,
  reencrypt: async () => (await reencryptTable(cipher, watched, options)).complete,
  retire: retireAll,
  migrate: async () => (await runMigration(parts, options)).complete,
  switch: async () => (await switchMigration(parts, options)).complete,
  clean: async () => (await cleanMigration(parts, options)).complete,
  rollback: async () => (await rollbackMigration(parts, options)).complete,
}

const REFRESH_MS = 100

/** Takes every key that may go out of use, and destroys it: the same checks as `strongroom retire`, without the days between. */
async function retireAll(): Promise<boolean> {
  const own = { ...config, tables: { [record]: watched }, quarantineDays: 0 }
  const judge = { override: ['quarantine', 'attempts', 'backups'], reason: 'crash test' } as const
  for (const purpose of ['data', 'index'] as const) {
    for (const { id, state } of await room.keys.list({ purpose })) {
      if (state !== 'decrypt_only' && state !== 'destroy_scheduled') continue
      for (const at of ['retire', 'destroy'] as const) {
        await sleep(2 * REFRESH_MS + 50) // by then every process has heard of the step before
        const verdict = await retireVerdict(own, room.keys, id, judge)
        if (verdict.allowed && verdict.step === at) await retireKey(own, room.keys, id, at, judge)
      }
    }
  }
  return true
}

if (operation.startsWith('rotate') || operation === 'retire') dieLater()
try {
  const complete = await operations[operation as keyof typeof operations]()
  process.exitCode = complete ? 0 : 4
} catch (error) {
  if ((error as { code?: unknown }).code !== 'ERR_MIGRATION_STATE') throw error
  process.exitCode = 3
}
await room.close()
