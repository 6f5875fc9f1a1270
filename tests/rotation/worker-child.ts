import { pgBossQueue } from '../../providers/pg-boss/index.ts'
import { workOnRanges } from '../../src/rotation/worker.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { configure } from './people.ts'

/** A worker as `strongroom worker` is one: until SIGTERM ends it, or SIGKILL. Prints a line for each range. */
const [folder, connectionString, rowsPerSecond] = process.argv.slice(2) as [string, string, string]
const config = configure(folder, connectionString)
const queue = pgBossQueue({ connectionString, pollMs: 100, retrySeconds: 1 })
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
const room = await openStrongroom(config)
await workOnRanges(room, config.tables ?? {}, queue, {
  signal: stop.signal,
  batch: 25,
  staleMs: 1000,
  throttle: { rowsPerSecond: Number(rowsPerSecond) },
  onRange: (event) => process.stdout.write(`${event.type} ${event.type === 'failed' ? String(event.error) : ''}\n`),
})
await Promise.all([room.close(), queue.close?.()])
