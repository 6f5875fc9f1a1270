import pg from 'pg'
import { memoryKeyStore, memoryKms } from '../providers/memory/index.ts'
import { openStrongroom } from '../src/index.ts'
import { startPostgres } from '../tests/fixtures/postgres.ts'
import { type Contender, measure, type Speed } from './measure.ts'
import { drizzleMapper, kyselyMapper, type Mapper, people, type Row, TABLES, typeormMapper } from './orm-mappers.ts'
import type { Result, Suite } from './result.ts'

/**
 * What an adapter costs for 1,000 rows of five fields and one index, on PostgreSQL. Its part is the time through the adapter
 * without that of the same mapper with ciphertexts that were made before; the target holds it against the bare cipher.
 */
export const mappers: Suite = async ({ quick }) => {
  const server = await startPostgres()
  const pool = new pg.Pool({ connectionString: server.connectionString })
  const room = await openStrongroom(
    { name: 'bench', kms: memoryKms(), store: memoryKeyStore(), records: { people } },
    { init: true },
  )
  try {
    await room.unlock([{ tenant: 'acme' }])
    await pool.query(TABLES)
    const count = quick ? 20 : 1_000
    const rows = peopleRows(count, 'row')
    const stored = await room.records.people.encryptMany(rows as never)
    const all = [
      kyselyMapper(pool, room),
      drizzleMapper(pool, room),
      await typeormMapper(server.connectionString, room),
    ]
    // What the reads find stays in the tables; what the inserts write is undone.
    for (const { table, of } of [
      { table: 'plain', of: rows },
      { table: 'people', of: stored as readonly Row[] },
    ]) {
      await fill(pool, table, of)
    }
    const others = peopleRows(count, 'other')
    const work = { rows: others, stored: (await room.records.people.encryptMany(others as never)) as readonly Row[] }
    const bare: Contender[] = [
      { name: 'bare insert', async: true, run: () => room.records.people.encryptMany(others as never) },
      { name: 'bare read', async: true, run: () => room.records.people.decryptMany(stored) },
    ]
    const effort = quick ? { rounds: 1, roundMs: 1 } : { rounds: 15, roundMs: 150 }
    const results: Result[] = []
    for (const mapper of all) {
      const speeds = await measure([...bare, ...contenders(mapper, work)], effort)
      const of = new Map(speeds.map((speed) => [speed.name, speed]))
      results.push(...linesOf(mapper.name, 'insert', of, count), ...linesOf(mapper.name, 'read', of, count))
      await mapper.close?.()
    }
    return results
  } finally {
    await room.close()
    await pool.end()
    await server.stop()
  }
}

function contenders(mapper: Mapper, { rows, stored }: { rows: readonly Row[]; stored: readonly Row[] }): Contender[] {
  const contender = (name: string, run: () => Promise<unknown>): Contender => ({ name, async: true, run })
  return [
    contender('plain insert', () => mapper.insertPlain(rows)),
    contender('stored insert', () => mapper.insertStored(stored)),
    contender('encrypted insert', () => mapper.insertEncrypted(rows)),
    contender('plain read', () => mapper.readPlain()),
    contender('stored read', () => mapper.readStored()),
    contender('encrypted read', () => mapper.readEncrypted()),
  ]
}

function linesOf(mapper: string, job: 'insert' | 'read', speeds: ReadonlyMap<string, Speed>, rows: number): Result[] {
  const ms = (name: string) => 1_000 / (speeds.get(`${name} ${job}`) as Speed).perSecond
  const part = ms('encrypted') - ms('stored')
  const times = part / ms('bare')
  const times2 = ms('encrypted') / ms('plain')
  const id = `P13 ${job}`
  const shown = (of: number) => `${of.toFixed(1)} ms`
  return [
    {
      id,
      what: `${mapper}, ${rows} rows: with the adapter beside plain columns`,
      measured: `${shown(ms('encrypted'))} / ${shown(ms('plain'))}  ${times2.toFixed(2)} ×`,
    },
    {
      id,
      what: `${mapper}, ${rows} rows: the part of the encryption beside the bare cipher`,
      measured: `${shown(part)} / ${shown(ms('bare'))}  ${times.toFixed(2)} ×`,
      value: times,
      target: { atMost: 1.3 },
    },
  ]
}

function peopleRows(count: number, prefix: string): Row[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `${prefix} ${at}`,
    org: 'acme',
    email: `${prefix}${at}@example.com`,
    name: `Person Number ${at}`,
    born: new Date(Date.UTC(1950 + (at % 50), at % 12, 1)),
    salary: 1_000 + at,
    notes: ['one', `two ${at}`],
  }))
}

async function fill(pool: pg.Pool, table: string, rows: readonly Row[]): Promise<void> {
  const list = JSON.stringify(rows)
  await pool.query(
    `insert into ${table} select (jsonb_populate_record(null::${table}, value)).* from jsonb_array_elements($1)`,
    [list],
  )
}
