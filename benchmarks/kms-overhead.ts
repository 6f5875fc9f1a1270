import { setImmediate as turn } from 'node:timers/promises'
import { awsKms } from '../providers/aws/index.ts'
import { EventHub } from '../src/events.ts'
import { kmsGroup } from '../src/keys/kms-group.ts'
import type { KmsProvider } from '../src/kms.ts'
import { AwsKmsDouble } from '../tests/doubles/aws-kms.ts'
import { median } from './measure.ts'

/** What a healthy call costs, and what the resilience layer adds to it, in microseconds. */
export interface OverheadReport {
  /** The real AWS client against a double on the loopback interface. */
  readonly callUs: number
  readonly addedUs: number
  /** `addedUs` as a share of `callUs`. */
  readonly added: number
}

const BATCH = 200

/**
 * The layer is measured around a service that answers at the next turn of the event loop, where its few microseconds
 * can be told from noise; beside it, a real call is measured as it is.
 *
 * @param rounds of 200 calls each
 */
export async function overheadRun(rounds: number): Promise<OverheadReport> {
  const context = { purpose: 'bench' }
  const service = prompt()
  const wrapped = await service.wrap(new Uint8Array(32), { context })
  const group = kmsGroup({ providers: [service], events: new EventHub() })
  // Whoever calls a KMS by hand passes a signal too, or hangs with it.
  const bare = () => service.unwrap(wrapped, { context, signal: new AbortController().signal })
  const resilient = () => group.unwrap([wrapped], { context }, () => true)

  const differences: number[] = []
  for (let round = 0; round < rounds; round++) {
    const first = await workOf(bare)
    const layered = await workOf(resilient)
    const second = await workOf(bare)
    differences.push(layered - (first + second) / 2)
  }
  const callUs = await realCall(rounds)
  const addedUs = median(differences)
  return { callUs, addedUs, added: addedUs / callUs }
}

async function realCall(rounds: number): Promise<number> {
  const double = await new AwsKmsDouble().start()
  const kms = awsKms({
    keyId: double.arn(double.createKey()),
    endpoint: double.endpoint,
    region: double.region,
    credentials: { accessKeyId: double.accessKeyId, secretAccessKey: 's' },
  })
  const context = { purpose: 'bench' }
  const wrapped = await kms.wrap(new Uint8Array(32), { context })
  const times: number[] = []
  for (let round = 0; round < rounds; round++) times.push(await timeOf(() => kms.unwrap(wrapped, { context })))
  await kms.close?.()
  await double.stop()
  return Math.min(...times) // the strictest: the faster the call, the larger the share
}

/** Microseconds of processor time for one call: what it takes on a machine that does nothing else, whatever this one does. */
async function workOf(call: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage()
  for (let at = 0; at < BATCH; at++) await call()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / BATCH
}

/** Microseconds for one call, over a batch of them. */
async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  for (let at = 0; at < BATCH; at++) await call()
  return ((performance.now() - start) * 1000) / BATCH
}

function prompt(): KmsProvider {
  return {
    name: 'prompt',
    keyId: 'prompt',
    accepts: () => true,
    wrap: async () => ({ provider: 'prompt', keyId: 'prompt', ciphertext: new Uint8Array(32) }),
    async unwrap() {
      await turn()
      return new Uint8Array(32)
    },
  }
}
