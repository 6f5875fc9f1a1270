import {
  cleanMigration,
  rollbackMigration,
  runMigration,
  switchMigration,
  verifyMigration,
} from '../../src/migration/migrate.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { configure, migration } from './customers.ts'

/** Makes one step of the migration of customers, and dies without warning at the n-th occurrence of an event, or after some ms. */
const [folder, url, step, dieAt, times] = process.argv.slice(2) as [string, string, string, string, string]
const config = configure(folder, url)
const table = config.tables?.customers as Table
let left = Number(times)

function at(event: string): void {
  if (event === dieAt && --left === 0) process.kill(process.pid, 'SIGKILL')
}

const watched: Table = {
  ...table,
  page: async (query) => {
    at('before page')
    const rows = await table.page(query)
    at('after page')
    return rows
  },
  write: async (changes, job) => {
    at('before write')
    const writing = table.write(changes, job)
    at('writing')
    const made = await writing
    at('after write')
    return made
  },
  run: async (statements) => {
    at('before run')
    const running = table.run(statements)
    at('running')
    await running
    at('after run')
  },
  jobs: {
    ...table.jobs,
    start: async (options) => {
      at('before start')
      const job = await table.jobs.start(options)
      at('after start')
      return job
    },
    write: async (job) => {
      at('before phase')
      await table.jobs.write(job)
      at('after phase')
    },
  },
}

const STEPS = {
  run: runMigration,
  verify: verifyMigration,
  switch: switchMigration,
  clean: cleanMigration,
  rollback: rollbackMigration,
}

if (dieAt === 'time') setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(times))
const room = await openStrongroom(config)
const parts = { cipher: room.records.customers, table: watched, migration }
const report = await STEPS[step as keyof typeof STEPS](parts, { batch: 25, staleMs: 1000 })
process.stdout.write(JSON.stringify(report))
await room.close()
if (!report.complete) process.exitCode = 1
