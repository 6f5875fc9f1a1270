import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Table } from '../../src/table.ts'
import { childProgram } from '../child-program.ts'
import { tableAt } from '../providers/sql/at.ts'
import type { AppDatabase } from './app-database.ts'
import { type Customer, createCustomers, customer, decrypted, insertCustomers, plain, type Room } from './customers.ts'

const SLOW = process.env.STRONGROOM_SLOW === '1'
const SEED = Number(process.env.STRONGROOM_SEED ?? 20_261_127)
const ROWS = 120
/** Behind a kill, a job may be taken over after its holder was silent for so long. */
const STALE_MS = 1050
const EVENTS = [
  'before start',
  'after start',
  'before page',
  'after page',
  'before write',
  'writing',
  'after write',
  'before run',
  'running',
  'after run',
  'before phase',
  'after phase',
]

type Step = 'run' | 'verify' | 'switch' | 'rollback' | 'clean'
/** How the application that is deployed writes: the old columns, both in one statement, or the encrypted ones. */
type Mode = 'old' | 'both' | 'new'

/** All of a life: forward and back before and behind `clean`, each time with the application that belongs there. */
const CYCLE: readonly (readonly [Step, Mode])[] = [
  ['run', 'old'],
  ['verify', 'both'],
  ['switch', 'both'],
  ['rollback', 'new'],
  ['rollback', 'old'],
  ['run', 'old'],
  ['switch', 'both'],
  ['clean', 'new'],
  ['rollback', 'new'],
  ['clean', 'old'],
]

/**
 * Whatever is killed in a migration, and whenever, nothing is lost: in any database.
 *
 * @param often kills of the long run; the ordinary one kills migrations in tests/rotation/crash.test.ts, beside every
 *   other operation
 */
export function testCrashes(start: () => Promise<AppDatabase>, often: number): void {
  const KILLS = Number(process.env.STRONGROOM_KILLS ?? (SLOW ? often : 0))
  const program = childProgram('tests/migration/migrate-child.ts')
  let app: AppDatabase
  let folder: string
  let room: Room
  let table: Table
  let stop = () => {}

  beforeAll(async () => {
    app = await start()
    folder = mkdtempSync(join(tmpdir(), 'strongroom-migration-'))
    room = await createCustomers(app, folder, ROWS)
    table = tableAt(app.url, 'customers')
  }, 60_000)
  afterAll(async () => {
    stop()
    await sleep(50)
    await room.close()
    await table.close?.()
    await app.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** One process that makes a step. @returns whether it was killed */
  async function child(step: Step, dieAt = 'none', times = 1): Promise<boolean> {
    const args = [program.path, folder, app.url, step, dieAt, String(times)]
    const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    process_.stdout.on('data', (chunk) => {
      out += chunk
    })
    const [code, signal] = await once(process_, 'close')
    if (signal === null) expect(`${code} ${out}`).toMatch(/^0 /)
    return signal === 'SIGKILL'
  }

  const long = test.runIf(KILLS > 0)

  long(
    `migrates there and back, killed ${KILLS} times at every step and at random, with writers, and loses nothing`,
    {
      timeout: 3_600_000,
    },
    async () => {
      const random = seeded(SEED)
      const expected = new Map<number, Customer>(Array.from({ length: ROWS }, (_, at) => [at + 1, customer(at + 1)]))
      const totals = { kills: 0, cycles: 0, updates: 0, inserts: 0, deletes: 0 }
      const perStep = SLOW ? 4 : 1
      let mode: Mode = 'old'
      let writing = true
      let next = ROWS + 1
      let busy: Promise<void> = Promise.resolve()
      let gate: Promise<void> = Promise.resolve()
      stop = () => {
        writing = false
      }
      const writer = write()

      for (let at = 0; totals.kills < KILLS || at % CYCLE.length !== 0; at++) {
        const [step, writes] = CYCLE[at % CYCLE.length] as (typeof CYCLE)[number]
        const open = await stopWriting() // the version of the application that was there before is gone
        mode = writes
        open()
        for (let kill = 0; kill < perStep && totals.kills < KILLS; kill++) {
          const isTimed = random() < 0.4
          const dieAt = isTimed ? 'time' : (EVENTS[Math.floor(random() * EVENTS.length)] as string)
          const times = isTimed ? 150 + Math.floor(random() * 500) : 1 + Math.floor(random() * 6)
          if (!(await child(step, dieAt, times))) break
          totals.kills++
          await sleep(STALE_MS)
          // Killed behind its last word, it has come to its end.
          if (await isDone(step)) break
        }
        if (!(await isDone(step))) expect(await child(step)).toBe(false)
        if (at % CYCLE.length === CYCLE.length - 1) totals.cycles++
        await check(step)
      }
      stop()
      await writer
      console.info(`seed ${SEED}: ${JSON.stringify(totals)}, rows at the end ${expected.size}`)
      expect(totals.kills).toBeGreaterThanOrEqual(KILLS)
      expect(totals.updates).toBeGreaterThan(0)

      /** Whether the step has nothing left to do: running it again would be refused. */
      async function isDone(step: Step): Promise<boolean> {
        const [job] = await table.jobs.list({ limit: 1, staleMs: STALE_MS })
        if (job === undefined) return false
        if (step === 'clean') return job.state === 'done'
        return step === 'switch' && job.phase === 'switched' && job.state === 'stopped'
      }

      /** The application: it never waits for a migration, and remembers what it wrote. */
      async function write(): Promise<void> {
        while (writing) {
          await gate
          busy = one(mode)
          await busy
          await sleep(3)
        }
      }

      async function one(how: Mode): Promise<void> {
        const ids = [...expected.keys()]
        const id = ids[Math.floor(random() * ids.length)] as number
        const before = expected.get(id) as Customer
        const what = random()
        if (what > 0.95 && ids.length > ROWS / 2) {
          await app.query('delete from customers where id = $1', [id])
          expected.delete(id)
          totals.deletes++
          return
        }
        if (how === 'old' && what > 0.85) {
          await insertCustomers(app, [next])
          expected.set(next, customer(next++))
          totals.inserts++
          return
        }
        const visits = totals.updates++
        const birthDate = new Date(Date.UTC(1900 + (visits % 100), visits % 12, 1 + (visits % 28)))
        const day = birthDate.toISOString().slice(0, 10)
        if (how === 'old') {
          const email = `update.${visits}@example.com`
          await app.query('update customers set email = $1, visit_count = $2, born = $3 where id = $4', [
            email,
            visits,
            day,
            id,
          ])
          expected.set(id, { ...before, email, visits, birthDate })
          return
        }
        await room.unlock([{ tenant: before.tenant }])
        const row = room.records.customers.encrypt({ id, tenant: before.tenant, visits, birthDate })
        const [old, values] = how === 'both' ? [', visit_count = $4, born = $5', [visits, day]] : ['', []]
        await app.query(`update customers set visits = $1, "birthDate" = $2${old} where id = $3`, [
          row.visits,
          row.birthDate,
          id,
          ...values,
        ])
        expected.set(id, { ...before, visits, birthDate })
      }

      /** What the columns that count say is what the application wrote. */
      async function check(step: Step): Promise<void> {
        const open = await stopWriting()
        const wanted = [...expected.values()].sort((a, b) => a.id - b.id)
        const names = (await table.describe()).columns.map(({ name }) => name)
        if (names.includes('email_plaintext') || !names.includes('born')) {
          expect(await decrypted(room, app)).toEqual(wanted)
          for (const { id, email_index } of await app.query('select id, email_index from customers')) {
            const { email, tenant } = expected.get(Number(id)) as Customer
            expect(await room.records.customers.indexMany('email', [email], { tenant })).toContain(email_index)
          }
        } else if (mode !== 'new') expect(await plain(app)).toEqual(wanted)
        if (step === 'clean') expect(names.some((name) => /_encrypted|_plaintext/.test(name))).toBe(false)
        open()
      }

      /** Waits for the write in hand, and lets no other begin. */
      async function stopWriting(): Promise<() => void> {
        let open = () => {}
        gate = new Promise<void>((resolve) => {
          open = resolve
        })
        await sleep(10)
        await busy
        return open
      }
    },
  )
}

function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
