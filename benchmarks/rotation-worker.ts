import { reencryptTable } from '../src/rotation/reencrypt.ts'
import { openStrongroom } from '../src/strongroom.ts'
import type { Table } from '../src/table.ts'
import type { Range, Used } from './rotation-child.ts'
import { configure } from './rotation-table.ts'

/** The program of a `RotationChild`. */
const [folder, url, name, range] = process.argv.slice(2) as [string, string, string, string]
const { from, until, onePass = false } = JSON.parse(range) as Range
const config = configure(folder, url, name)
const table = config.tables?.people as Table
const room = await openStrongroom(config)
process.on('message', async () => {
  await room.refresh()
  const before = process.cpuUsage()
  const report = await reencryptTable(room.records.people, table, {
    batch: 1000,
    onePass,
    ...(from && { from: [from] }),
    ...(until && { until: [until] }),
  })
  const { user, system } = process.cpuUsage(before)
  const used: Used = {
    written: report.counts.written,
    seconds: (user + system) / 1e6,
    mib: process.resourceUsage().maxRSS / 1024,
  }
  process.send?.(used)
})
process.on('disconnect', () => void room.close())
process.send?.('ready')
