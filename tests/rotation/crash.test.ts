import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileKeyStore } from '../../providers/file/index.ts'
import { postgresTable } from '../../providers/postgres/index.ts'
import { census } from '../../src/rotation/census.ts'
import { childProgram } from '../child-program.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { type Application, killed, type Lane, STEPS, seeded, type Totals, Writer } from './crash-lane.ts'
import { createNotes, fillNotes, notes } from './crash-notes.ts'
import { createPeople, insertPeople, people, person, type Room } from './people.ts'

const SLOW = process.env.STRONGROOM_SLOW === '1'
const SEED = Number(process.env.STRONGROOM_SEED ?? 20_261_123)
/** Each has more than 200 kills in the long run. */
const ROUNDS = Number(process.env.STRONGROOM_ROUNDS ?? 1)
const KILLS_OF_A_ROUND = 200
const ROWS = SLOW ? 200 : 100
/** The short run takes the steps around the transactions. */
const SHORT = ['during write', 'during commit', 'during change']
const steps = (operation: string) =>
  (STEPS[operation] as readonly string[]).filter((step) => SLOW || SHORT.includes(step))
const atRandom = (times: number) => (SLOW ? times : 0)

const totals: Totals = { kills: {}, finished: 0, updates: 0, inserts: 0, deletes: 0 }
let database: TestDatabase
let pool: pg.Pool
const program = childProgram('tests/rotation/crash-child.ts')

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
  const kills = Object.values(totals.kills).reduce((sum, times) => sum + times, 0)
  console.info(`seed ${SEED}: ${kills} kills, ${JSON.stringify(totals)}`)
  if (SLOW) expect(kills).toBeGreaterThanOrEqual(KILLS_OF_A_ROUND * ROUNDS)
})

const TIMEOUT = { timeout: 1_800_000 }

test.concurrent(
  'rotate, index rotation, reencrypt and retire lose nothing, killed at every step and at random',
  TIMEOUT,
  async () => {
    await withLane('people', async (lane) => {
      const room = await createPeople(pool, lane.folder, lane.connectionString, ROWS, lane.table)
      const writer = new Writer(lane, peopleApplication(lane, room), firstNotes())
      for (let round = 0; round < ROUNDS * (SLOW ? 2 : 1); round++) {
        writer.start((id) => person(id).note)
        await killed(lane, 'rotate', steps('rotate'), atRandom(3))
        await killed(lane, 'reencrypt', steps('reencrypt'), atRandom(10))
        await killed(lane, 'rotate-index', steps('rotate-index'), atRandom(2))
        await killed(lane, 'reencrypt', steps('reencrypt'), atRandom(10))
        await killed(lane, 'retire', steps('retire'), atRandom(4))
        await writer.stop()
        await checkPeople(lane, room, writer.expected)
      }
      await room.close()
    })
  },
)

test.concurrent('migrate, switch and clean lose nothing, killed at every step and at random', TIMEOUT, async () => {
  await withLane('there_notes', async (lane) => {
    const room = await createNotes(lane.folder, lane.connectionString, lane.table)
    for (let round = 0; round < ROUNDS; round++) {
      const { writer, encrypted } = await switchNotes(lane, room)
      await writer.stop()
      await checkNotes(lane, room, writer.expected)
      writer.application = encrypted
      writer.start((id) => person(id).note)
      await killed(lane, 'clean', steps('clean'), atRandom(3))
      await writer.stop()
      await checkNotes(lane, room, writer.expected)
    }
    await room.close()
  })
})

test.concurrent('a migration that is led back loses nothing, killed at every step and at random', TIMEOUT, async () => {
  await withLane('back_notes', async (lane) => {
    const room = await createNotes(lane.folder, lane.connectionString, lane.table)
    for (let round = 0; round < ROUNDS; round++) {
      const { writer, plain } = await switchNotes(lane, room)
      await killed(lane, 'rollback', steps('rollback'), atRandom(8))
      await writer.stop()
      await checkPlain(lane, writer.expected)
      writer.application = plain
      writer.start((id) => person(id).note)
      await killed(lane, 'clean', steps('clean'), atRandom(3))
      await killed(lane, 'migrate', [], 0) // it can be begun anew
      await writer.stop()
      await checkPlain(lane, writer.expected)
    }
    await room.close()
  })
})

/** A table of plaintext, migrated and switched, with an application that writes both sides by then. */
async function switchNotes(lane: Lane, room: NotesRoom) {
  await fillNotes(pool, lane.table, ROWS)
  await pool.query(`drop table if exists ${lane.table.split('.')[0]}.strongroom_jobs`)
  const { plain, both, encrypted } = notesApplications(lane, room)
  const writer = new Writer(lane, plain, firstNotes())
  writer.start((id) => person(id).note)
  await killed(lane, 'migrate', steps('migrate'), atRandom(8))
  await writer.stop()
  await checkPlain(lane, writer.expected)
  writer.application = both
  writer.start((id) => person(id).note)
  await killed(lane, 'switch', steps('switch'), atRandom(5))
  return { writer, plain, encrypted }
}

/** A schema, and so a table of jobs, of its own. */
async function withLane(name: string, work: (lane: Lane) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-crash-'))
  await pool.query(`create schema lane_${name}`)
  const table = `lane_${name}.${name}`
  const lane = {
    script: program.path,
    folder,
    connectionString: database.connectionString,
    table,
    random: seeded(SEED),
    totals,
  }
  try {
    await work(lane)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function firstNotes(): Map<number, string | null> {
  return new Map(Array.from({ length: ROWS }, (_, at) => [at + 1, person(at + 1).note]))
}

function peopleApplication({ table }: Lane, room: Room): Application {
  return {
    async update(id, note) {
      const { tenant } = person(id)
      await room.unlock([{ tenant }])
      const row = room.records.people.encrypt({ id, tenant, note })
      await pool.query(`update ${table} set note = $1 where id = $2`, [row.note, id])
    },
    insert: (id) => insertPeople(room, pool, [id], table),
    remove: async (id) => void (await pool.query(`delete from ${table} where id = $1`, [id])),
  }
}

type NotesRoom = Awaited<ReturnType<typeof createNotes>>

/** The application before a migration, while both sides are written, and behind it. */
function notesApplications({ table }: Lane, room: NotesRoom) {
  const write = async (id: number, columns: Readonly<Record<string, unknown>>, isNew: boolean) => {
    const names = Object.keys(columns)
    const values = Object.values(columns)
    const sql = isNew
      ? `insert into ${table} (id, ${names.join(', ')}) values ($1, ${names.map((_, at) => `$${at + 2}`).join(', ')})`
      : `update ${table} set ${names.map((name, at) => `${name} = $${at + 2}`).join(', ')} where id = $1`
    await pool.query(sql, [id, ...values])
  }
  const remove = async (id: number) => void (await pool.query(`delete from ${table} where id = $1`, [id]))
  const plainRow = (id: number) => {
    const { tenant, email, note, visits } = person(id)
    return { tenant, mail: email, memo: note, visit_count: visits }
  }
  const encryptedRow = async (id: number) => {
    await room.unlock([{ tenant: person(id).tenant }])
    const { id: _, visits, ...row } = room.records.notes.encrypt(person(id))
    return { ...row, visits: Buffer.from(visits) }
  }
  const encryptedNote = async (id: number, note: string) => {
    const [row] = await room.records.notes.encryptMany([{ id, tenant: person(id).tenant, note }])
    return row?.note
  }
  const plain: Application = {
    update: (id, note) => write(id, { memo: note }, false),
    insert: (id) => write(id, plainRow(id), true),
    remove,
  }
  const both: Application = {
    update: async (id, note) => write(id, { memo: note, note: await encryptedNote(id, note) }, false),
    insert: async (id) => write(id, { ...plainRow(id), ...(await encryptedRow(id)) }, true),
    remove,
  }
  const encrypted: Application = {
    update: async (id, note) => write(id, { note: await encryptedNote(id, note) }, false),
    insert: async (id) => write(id, await encryptedRow(id), true),
    remove,
  }
  return { plain, both, encrypted }
}

const sorted = (map: ReadonlyMap<number, string | null>) => [...map].sort(([a], [b]) => a - b)

async function checkPlain({ table }: Lane, expected: ReadonlyMap<number, string | null>): Promise<void> {
  const { rows } = await pool.query(`select id, mail, memo, visit_count from ${table} order by id`)
  expect(rows.map((row) => [row.id, row.memo])).toEqual(sorted(expected))
  for (const { id, mail, visit_count } of rows) {
    expect([mail, visit_count]).toEqual([person(id).email, person(id).visits])
  }
}

async function checkPeople(lane: Lane, room: Room, expected: ReadonlyMap<number, string | null>): Promise<void> {
  await room.refresh()
  await checkRows(lane, expected, room.records.people as never)
  await checkCensus(lane, people, 'rotation', expected.size)
  const keys = [...(await room.keys.list({ purpose: 'data' })), ...(await room.keys.list({ purpose: 'index' }))]
  expect(keys.filter(({ state }) => state !== 'active' && state !== 'destroyed')).toEqual([])
}

async function checkNotes(lane: Lane, room: NotesRoom, expected: ReadonlyMap<number, string | null>): Promise<void> {
  await checkRows(lane, expected, room.records.notes as never)
  await checkCensus(lane, notes, 'migration', expected.size)
}

/** No row is lost, none unreadable, none holds another value than the application wrote last, and each is found by its index. */
async function checkRows(
  { table }: Lane,
  expected: ReadonlyMap<number, string | null>,
  cipher: Room['records']['people'],
): Promise<void> {
  const { rows } = await pool.query(`select tenant, id, email, email_index, note, visits from ${table} order by id`)
  const opened = (await cipher.decryptMany(rows)) as {
    id: number
    email: string
    note: string | null
    visits: number
  }[]
  expect(opened.map(({ id, note }) => [id, note])).toEqual(sorted(expected))
  for (const [at, { id, email, visits }] of opened.entries()) {
    expect([email, visits]).toEqual([person(id).email, person(id).visits])
    const tags: readonly string[] = (await cipher.indexMany('email', [email], { tenant: person(id).tenant })) as never
    expect(tags).toContain(rows[at].email_index)
  }
}

async function checkCensus(
  { table, folder }: Lane,
  schema: typeof people | typeof notes,
  app: string,
  count: number,
): Promise<void> {
  const store = fileKeyStore({ path: join(folder, 'keys') })
  const counted = await census(schema, postgresTable({ pool, table }), { app, store })
  expect(counted.outdated).toBe(0)
  for (const column of ['email', 'note', 'visits', 'email_index']) {
    const sum = counted.counts.filter((one) => one.column === column).reduce((total, { rows }) => total + rows, 0)
    expect([column, sum]).toEqual([column, count])
  }
}
