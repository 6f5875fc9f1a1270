import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { rawAes } from '../providers/raw/index.ts'
import { createMessages } from '../src/messages/messages.ts'
import { benchmarkMessageFiles } from './message-files.ts'
import type { Result, SuiteOptions } from './result.ts'

/** P6, P7 and P8: messages of 64 bytes, and a file, beside their peers in the same run. */
export async function benchmarkMessages(options: SuiteOptions): Promise<Result[]> {
  return [...(await smallMessages(options)), ...(await benchmarkMessageFiles(options)), ...(await overheads())]
}

const MIB = 1024 * 1024

async function smallMessages({ quick, peers }: SuiteOptions): Promise<Result[]> {
  const key = new Uint8Array(32).fill(7)
  const context = { tenant: 'acme', order: '4711' }
  const plaintext = randomBytes(64)
  const room = createMessages({ kms: rawAes({ namespace: 'bench', name: 'key', key }) })
  const message = await room.seal(plaintext, { context })
  const seal = () => room.seal(plaintext, { context })
  const unseal = () => room.open(message)
  const theirs = peers ? await awsMessages(key, context, plaintext) : undefined
  const contenders = [seal, unseal, ...(theirs ? [theirs.seal, theirs.open] : [])]
  const times = await inTurns(contenders, quick ? 3 : 15, quick ? 20 : 150)
  const [ourSeal = 0, ourOpen = 0, theirSeal, theirOpen] = times.map((rounds) => Math.min(...rounds))
  const line = (what: string, ours: number, other: number | undefined): Result => ({
    id: 'P6',
    what,
    measured: `${Math.round(1 / ours).toLocaleString('en')} /s${other === undefined ? '' : `  ${(other / ours).toFixed(1)} × @aws-crypto (${Math.round(1 / other).toLocaleString('en')} /s)`}`,
    ...(other !== undefined && { value: other / ours, target: { atLeast: 15 } }),
  })
  return [
    line('sealed message, 64 B, data key used again, suite 0x0478', ourSeal, theirSeal),
    line('the same, opened', ourOpen, theirOpen),
  ]
}

async function awsMessages(key: Uint8Array, encryptionContext: Record<string, string>, plaintext: Buffer) {
  const aws = createRequire(import.meta.url)('@aws-crypto/client-node') as typeof import('@aws-crypto/client-node')
  const keyring = new aws.RawAesKeyringNode({
    keyNamespace: 'bench',
    keyName: 'key',
    unencryptedMasterKey: new Uint8Array(key),
    wrappingSuite: aws.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  })
  const manager = new aws.NodeCachingMaterialsManager({
    backingMaterials: keyring,
    cache: aws.getLocalCryptographicMaterialsCache(100),
    maxAge: 600_000,
    maxMessagesEncrypted: 2 ** 31,
  })
  const { encrypt, decrypt } = aws.buildClient(aws.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
  const seal = () => encrypt(manager, plaintext, { suiteId: 0x0478 as never, encryptionContext, plaintextLength: 64 })
  const { result } = await seal()
  return { seal, open: () => decrypt(manager, result) }
}

/** Seconds per call in each round; the contenders take turns. */
async function inTurns(
  contenders: readonly (() => Promise<unknown>)[],
  rounds: number,
  ms: number,
): Promise<number[][]> {
  const times: number[][] = contenders.map(() => [])
  for (let round = -1; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      let calls = 0
      const start = performance.now()
      let now = start
      do {
        for (let i = 0; i < 10; i++) await contender()
        calls += 10
        now = performance.now()
      } while (now - start < ms)
      if (round >= 0) times[index]?.push((now - start) / 1000 / calls)
    }
  }
  return times
}

async function overheads(): Promise<Result[]> {
  const room = createMessages({ kms: rawAes({ namespace: 'n', name: 'k', key: new Uint8Array(32) }) })
  return Promise.all(
    [64, 1024, MIB].map(async (size) => {
      const message = await room.seal(new Uint8Array(size))
      return {
        id: 'P6',
        what: `overhead of a message of ${size.toLocaleString('en')} B`,
        measured: `${message.length - size} B`,
      }
    }),
  )
}
