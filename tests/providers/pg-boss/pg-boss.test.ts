import PgBoss from 'pg-boss'
import { pgBossQueue } from 'strongroom/pg-boss'
import { jobQueueConformance } from 'strongroom/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../fixtures/postgres-database.ts'

let database: TestDatabase
let connectionString: string

beforeAll(async () => {
  database = await createDatabase()
  connectionString = database.connectionString
  // The tables once, so that each queue below costs little.
  const boss = new PgBoss({ connectionString, supervise: false, schedule: false })
  await boss.start()
  await boss.stop({ graceful: false })
})
afterAll(async () => {
  await database.drop()
})

let made = 0

describe('pgBossQueue', () => {
  const cases = jobQueueConformance(async () => {
    const options = { connectionString, queue: `q${++made}`, expireSeconds: 2, retrySeconds: 0, pollMs: 100 }
    const [queue, second] = [pgBossQueue(options), pgBossQueue(options)]
    return { queue, second, close: async () => void (await Promise.all([queue.close?.(), second.close?.()])) }
  })
  for (const { name, run } of cases) test.concurrent(name, run)

  test('adds a task once that waits already', async () => {
    const boss = new PgBoss({ connectionString, supervise: false, schedule: false })
    await boss.start()
    const queue = pgBossQueue({ boss, queue: 'once' })
    const task = { jobId: 'a', kind: 'reencrypt', record: 'people' } as const
    await queue.send([task, { ...task, jobId: 'b' }])
    await queue.send([task])
    expect(await boss.getQueueSize('once')).toBe(2)
    await queue.close?.()
    expect(await boss.getQueueSize('once')).toBe(2) // still open: it is the user's
    await boss.stop({ graceful: false })
  })

  test('drops what is no task, so that it does not come back for ever', async () => {
    const boss = new PgBoss({ connectionString, supervise: false, schedule: false })
    await boss.start()
    const queue = pgBossQueue({ boss, queue: 'foreign', pollMs: 100 })
    await queue.send([])
    await boss.send('foreign', { jobId: 7 })
    const stop = new AbortController()
    const handled: unknown[] = []
    const working = queue.work(async (task) => void handled.push(task), stop.signal)
    while ((await boss.getQueueSize('foreign', { before: 'completed' })) > 0)
      await new Promise((r) => setTimeout(r, 20))
    stop.abort()
    await working
    expect(handled).toEqual([])
    await boss.stop({ graceful: false })
  })

  test('says that it cannot be reached, without its password', async () => {
    const queue = pgBossQueue({ connectionString: 'postgres://me:secret@127.0.0.1:1/x' })
    const error = await queue.send([{ jobId: 'a', kind: 'reencrypt', record: 'people' }]).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'ERR_JOB_QUEUE' })
    expect(String(error.message)).not.toContain('secret')
    await queue.close?.()
    await expect(queue.send([])).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  test.each([
    [{}],
    [{ connectionString: '' }],
    [{ connectionString: 'postgres://x', boss: {} as never }],
    [{ connectionString: 'postgres://x', expireSeconds: 0 }],
    [{ connectionString: 'postgres://x', pollMs: 1 }],
    [{ connectionString: 'postgres://x', queue: '' }],
  ])('refuses options that cannot work: %j', (options) => {
    expect(() => pgBossQueue(options)).toThrow(TypeError)
  })
})
