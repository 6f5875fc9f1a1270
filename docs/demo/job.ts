import { openStrongroom, reencryptTable, type Table } from 'strongroom'
import { configurePatients } from './patients.ts'

/** The job, in a process of its own, so that it can be killed. */
const [folder, connectionString] = process.argv.slice(2) as [string, string]
const config = configurePatients(folder, connectionString)
const room = await openStrongroom(config)
await reencryptTable(room.records.patients, config.tables?.patients as Table, {
  batch: 100,
  staleMs: 1000,
  throttle: { rowsPerSecond: 4000 },
})
await room.close()
