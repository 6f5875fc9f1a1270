import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Pool } from 'pg'
import { census, openStrongroom, reencryptTable, retireKey, retireVerdict, type Table } from 'strongroom'
import { configurePatients } from './patients.ts'
import { createKeys } from './rooms.ts'
import type { Stage } from './stage.ts'

/** Twice keyring.refreshInterval: by then every process has heard of a change. */
const HEARD_MS = 500
const JOB = fileURLToPath(new URL('job.ts', import.meta.url))

type Config = ReturnType<typeof configurePatients>
type Room = Awaited<ReturnType<typeof open>>

/** What is played with. */
interface Clinic {
  /** In its table at first. */
  readonly count: number
  readonly stage: Stage
  readonly config: Config
  readonly table: Table
  readonly room: Room
  readonly pool: Pool
  readonly start: () => ChildProcess
}

/** A table of plaintext is encrypted while an application writes it, its job is killed, its key rotated and destroyed. @throws BrokenPromise */
export async function playLive(stage: Stage, home: string, connectionString: string, count: number): Promise<void> {
  const folder = join(home, 'clinic')
  await mkdir(folder)
  await createKeys(folder)
  const config = configurePatients(folder, connectionString)
  const pool = new Pool({ connectionString })
  const room = await open(config)
  const start = () => spawn(process.execPath, ['--import', 'tsx', JOB, folder, connectionString], { stdio: 'inherit' })
  const clinic: Clinic = { count, stage, config, table: config.tables?.patients as Table, room, pool, start }
  try {
    await fill(pool, count)
    await encryptLive(clinic)
    await rotateAndDestroy(clinic)
  } finally {
    await room.close()
    await pool.end()
  }
}

function open(config: Config) {
  return openStrongroom(config, { init: true })
}

async function fill(pool: Pool, count: number): Promise<void> {
  await pool.query(`create table patients (id int primary key, email text, email_index text, note text);
    insert into patients select n, 'Patient.' || n || '@example.com', null, 'note ' || n from generate_series(1, ${count}) as n`)
}

async function encryptLive(clinic: Clinic): Promise<void> {
  const { count, stage, config, table, room, pool } = clinic
  stage.step('Encrypt a second table while an application writes it, and kill the job')
  const before = await census(room.records.patients.schema, table, { app: config.name, store: config.store })
  const writer = startWriter(room, pool, count)
  try {
    await killJob(clinic)
  } finally {
    await writer.stop()
  }
  const expected = await writer.stop()
  const after = await census(room.records.patients.schema, table, { app: config.name, store: config.store })
  stage.table(
    ['census', 'before', 'after'],
    [['values in plaintext or under no active key', before.outdated, after.outdated]],
  )
  stage.promise('no plaintext is left', after.outdated === 0)
  const rows = await room.records.patients.decryptMany((await pool.query('select * from patients')).rows)
  const wrong = rows.filter(({ id, note }) => note !== (expected.get(Number(id)) ?? `note ${id}`))
  stage.promise(
    `${expected.size.toLocaleString('en')} rows that the application wrote meanwhile hold what it wrote, the others what they held`,
    wrong.length === 0 && rows.length >= count,
  )
}

/** Kills the job on its way, and has another process end it. */
async function killJob({ count, stage, table, start }: Clinic): Promise<void> {
  const first = start()
  const ended = once(first, 'exit')
  const done = async () => (await table.jobs.list({ limit: 1, staleMs: 1000 }))[0]?.progress.counts.written ?? 0
  while (first.exitCode === null && (await done()) < count / 4) await sleep(20)
  first.kill('SIGKILL')
  await ended
  const atKill = await done()
  const killed = first.signalCode === 'SIGKILL' && atKill < count
  stage.promise(`the job was killed with SIGKILL after ${atKill.toLocaleString('en')} rows`, killed)
  await sleep(1100) // so long it is silent before another one may take it over
  const [code] = (await once(start(), 'exit')) as [number | null]
  stage.promise('started again it went on behind them, to the end', code === 0)
}

/** The application: it writes encrypted values, never waits for the job, and remembers what it wrote. */
function startWriter(room: Room, pool: Pool, count: number) {
  const written = new Map<number, string>()
  let isOn = true
  const writing = (async () => {
    for (let turn = 0; isOn; turn++) {
      const id = 1 + ((turn * 7919) % Math.ceil(count * 1.1)) // some of them are new
      const note = `written in turn ${turn}`
      const [row] = await room.records.patients.encryptMany([{ id, email: `Patient.${id}@example.com`, note }])
      await pool.query(
        `insert into patients (id, email, email_index, note) values ($1, $2, $3, $4)
         on conflict (id) do update set note = excluded.note`,
        [id, row?.email, row?.email_index, row?.note],
      )
      written.set(id, note)
      await sleep(2)
    }
  })()
  const stop = async () => {
    isOn = false
    await writing
    return written
  }
  return { stop }
}

async function rotateAndDestroy({ stage, config, table, room }: Clinic): Promise<void> {
  stage.step('Rotate its key, and be told when the old one may go')
  const [rotation] = await room.keys.rotate({ reason: 'demonstration' })
  const old = rotation?.replaced?.id as string
  await sleep(HEARD_MS)
  const options = { override: ['attempts'], reason: 'demonstration' } as const
  const refused = await retireVerdict(config, room.keys, old, options)
  stage.promise('retiring the old key is refused while rows are left under it', !refused.allowed)
  for (const { result, message } of refused.checks) if (result === 'no') stage.tell(`no: ${message}`)
  const { counts } = await reencryptTable(room.records.patients, table, { batch: 1000 })
  stage.tell(`${counts.written.toLocaleString('en')} rows encrypted again`)
  const allowed = await retireVerdict(config, room.keys, old, options)
  stage.promise('and allowed when none is left, counted now', allowed.allowed)
  await retireKey(config, room.keys, old, 'retire', options)
  await sleep(HEARD_MS)
  const { key } = await retireKey(config, room.keys, old, 'destroy', options)
  stage.promise('the old key is destroyed, and every row is readable', key.state === 'destroyed')
  const { outdated } = await census(room.records.patients.schema, table, { app: config.name, store: config.store })
  stage.promise('everything is under an active key', outdated === 0)
}
