import { reencryptTable } from '../../src/rotation/reencrypt.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { configure } from './people.ts'

/** Re-encrypts the table of people, and dies without warning at the n-th occurrence of a step, or after some ms. */
const [folder, connectionString, dieAt, times] = process.argv.slice(2) as [string, string, string, string]
const config = configure(folder, connectionString)
const table = config.tables?.people as Table
let left = Number(times)

function step(name: string): void {
  if (name === dieAt && --left === 0) process.kill(process.pid, 'SIGKILL')
}

const watched: Table = {
  ...table,
  page: async (query) => {
    step('before page')
    const rows = await table.page(query)
    step('after page')
    return rows
  },
  write: async (changes, job) => {
    step('before write')
    const writing = table.write(changes, job)
    step('writing')
    const made = await writing
    step('after write')
    return made
  },
  jobs: {
    ...table.jobs,
    start: async (options) => {
      step('before start')
      const job = await table.jobs.start(options)
      step('after start')
      return job
    },
    write: async (job) => {
      step('before end')
      await table.jobs.write(job)
      step('after end')
    },
  },
}

if (dieAt === 'time') setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(times))
const room = await openStrongroom(config)
const report = await reencryptTable(room.records.people, watched, { batch: 40, staleMs: 1000 })
process.stdout.write(JSON.stringify(report))
await room.close()
