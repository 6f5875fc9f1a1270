import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStrongroom } from '../src/strongroom.ts'
import type { Result, Suite } from './result.ts'
import { RotationChild, type Used } from './rotation-child.ts'
import { postgresDatabase } from './rotation-postgres.ts'
import { configure, createKeys, createTable } from './rotation-table.ts'

/** P12: the whole job over ten times the rows, each in a process of its own. */
export const rotationScale: Suite = async ({ quick }) => {
  const rows = quick ? 1000 : 100_000
  const database = await postgresDatabase()
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-bench-'))
  try {
    await createKeys(folder, database)
    const used: Used[] = []
    for (const [name, count] of [
      ['small', rows],
      ['large', 10 * rows],
    ] as const) {
      await createTable(folder, database, name, count)
      const room = await openStrongroom(configure(folder, database.url, name))
      await room.keys.rotate({ scope: 'all' })
      await room.close()
      const child = await RotationChild.start(folder, database.url, name)
      used.push(await child.work())
      child.stop()
    }
    return lines(rows, used as [Used, Used])
  } finally {
    await database.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function lines(rows: number, [small, large]: [Used, Used]): Result[] {
  const line = (what: string, of: 'seconds' | 'mib', atMost: number, shown: (value: number) => string): Result => {
    const value = large[of] / small[of]
    return {
      id: 'P12 job',
      what: `${what} of ${(10 * rows).toLocaleString('en')} rows against ${rows.toLocaleString('en')}`,
      measured: `${value.toFixed(2)} ×  (${shown(small[of])}, ${shown(large[of])})`,
      value,
      target: { atMost },
    }
  }
  return [
    line('time of the processor', 'seconds', 11, (seconds) => `${seconds.toFixed(1)} s`),
    line('memory', 'mib', 1.1, (mib) => `${Math.round(mib)} MiB`),
  ]
}
