import { reencryptTable } from '../src/rotation/reencrypt.ts'
import { openStrongroom } from '../src/strongroom.ts'
import type { Table } from '../src/table.ts'
import { configure } from './rotation-table.ts'

/** A worker: re-encrypts a range of a table each time it is told to, and says when it is done and what it used. */
const [folder, connectionString, name, from, until, onePass] = process.argv.slice(2) as string[]
const config = configure(folder as string, connectionString as string, name as string)
const table = config.tables?.people as Table
const room = await openStrongroom(config)
process.on('message', async () => {
  await room.refresh()
  const before = process.cpuUsage()
  const report = await reencryptTable(room.records.people, table, {
    batch: 1000,
    onePass: onePass === 'yes',
    ...(from && { from: [from] }),
    ...(until && { until: [until] }),
  })
  const used = process.cpuUsage(before)
  process.send?.({
    written: report.counts.written,
    seconds: (used.user + used.system) / 1e6,
    mib: process.resourceUsage().maxRSS / 1024,
  })
})
process.on('disconnect', () => void room.close())
process.send?.('ready')
