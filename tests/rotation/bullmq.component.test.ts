import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { jobQueueConformance } from 'strongroom/testing'
import { afterAll, beforeAll, test } from 'vitest'
import { type BullMq, bullMqQueue } from '../../docs/examples/bullmq-queue.ts'
import { describeComponent } from '../components/component.ts'

const folder = new URL('../components/bullmq/', import.meta.url)
const hasRedis = ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].some((path) => existsSync(path))
const missing =
  existsSync(new URL('node_modules/bullmq', folder)) && hasRedis
    ? undefined
    : 'run .ci/components as root on Debian: it installs redis-server and BullMQ'

describeComponent('the queue on BullMQ that the guide shows', missing, () => {
  let port: number
  let stop: () => Promise<void>
  const bullmq = () => createRequire(new URL('package.json', folder))('bullmq') as BullMq

  beforeAll(async () => {
    port = await freePort()
    const args = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no']
    const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
    await new Promise<void>((resolve, reject) => {
      server.once('exit', () => reject(new Error('redis-server did not start')))
      server.stdout.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('Ready to accept connections')) resolve()
      })
    })
    stop = async () => {
      server.kill()
      await ended
    }
  })
  afterAll(() => stop())

  let made = 0
  const cases = jobQueueConformance(async () => {
    const options = {
      connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null },
      queue: `q${++made}`,
      retryMs: 100,
      // BullMQ says by itself that a worker lives; a silent one is one that does not.
      worker: { skipLockRenewal: true, lockDuration: 1500, stalledInterval: 500 },
    }
    const [queue, second] = [bullMqQueue(bullmq(), options), bullMqQueue(bullmq(), options)]
    return { queue, second, close: async () => void (await Promise.all([queue.close?.(), second.close?.()])) }
  })
  for (const { name, run } of cases) test(name, run)
})

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return port
}
