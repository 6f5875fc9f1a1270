import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rawAes } from '../providers/raw/index.ts'
import { createMessages } from '../src/messages/messages.ts'
import type { Result, SuiteOptions } from './result.ts'

export interface MessageBenchmarkOptions extends SuiteOptions {
  /** Bytes of the file. Default 1 GiB. */
  readonly size?: number
}

/** P6, P7 and P8: messages of 64 bytes, and a file, beside their peers in the same run. */
export async function benchmarkMessages(options: MessageBenchmarkOptions): Promise<Result[]> {
  return [...(await smallMessages(options)), ...(await files(options)), ...(await overheads())]
}

const MIB = 1024 * 1024
const run = promisify(execFile)

async function smallMessages({ quick, peers }: MessageBenchmarkOptions): Promise<Result[]> {
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

interface FileRun {
  readonly seconds: number
  readonly rss: number
}

async function files({
  quick,
  peers,
  size = quick ? 32 * MIB : 1024 * MIB,
}: MessageBenchmarkOptions): Promise<Result[]> {
  if (
    !(await stat(new URL('../dist/index.js', import.meta.url)).then(
      () => true,
      () => false,
    ))
  ) {
    return [
      {
        id: 'P7',
        what: 'sealed files',
        measured: '',
        missing: 'they are measured from the built package: npm run build',
      },
    ]
  }
  const home = await mkdtemp(join(tmpdir(), 'strongroom-bench-'))
  try {
    const plain = join(home, 'plain')
    await writeRandom(plain, size)
    const sealed = join(home, 'sealed')
    const out = join(home, 'out')
    await child('seal-1', plain, sealed)
    const jobs: Record<string, () => Promise<FileRun>> = {
      raw: () => child('raw', plain, out),
      'seal-1': () => child('seal-1', plain, out),
      'seal-2': () => child('seal-2', plain, out),
      'seal-stream': () => child('seal-stream', plain, out),
      'open-1': () => child('open-1', sealed, out),
      'open-2': () => child('open-2', sealed, out),
      'raw-1MiB': () => child('raw-1MiB', plain, out),
    }
    if (peers) {
      jobs.aws = () => child('aws', plain, out)
      const age = await ageCommand()
      if (age !== undefined) jobs.age = () => command('age', ['-r', age, '-o', out, plain])
      if (await isThere('openssl')) {
        jobs.openssl = () =>
          command('openssl', [
            'enc',
            '-aes-256-ctr',
            '-K',
            '07'.repeat(32),
            '-iv',
            '00'.repeat(16),
            '-in',
            plain,
            '-out',
            out,
          ])
      }
    }
    const runs: Record<string, FileRun[]> = Object.fromEntries(Object.keys(jobs).map((name) => [name, []]))
    for (let round = 0; round < (quick ? 1 : 5); round++) {
      for (const [name, job] of Object.entries(jobs)) {
        await rm(out, { force: true })
        runs[name]?.push(await job())
      }
    }
    return lines(runs, size)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

function lines(runs: Readonly<Record<string, readonly FileRun[]>>, size: number): Result[] {
  const best = (name: string) => {
    const seconds = runs[name]?.map((one) => one.seconds)
    return seconds === undefined || seconds.length === 0 ? undefined : Math.min(...seconds)
  }
  const line = (id: string, what: string, name: string, other: string, atLeast: number): Result => {
    const [ours, theirs] = [best(name), best(other)]
    if (ours === undefined || theirs === undefined)
      return { id, what: `${what}, beside ${other}`, measured: '', missing: `${other} is not installed` }
    const mbs = Math.round(size / MIB / ours)
    return {
      id,
      what: `${what}, beside ${other}`,
      measured: `${mbs} MB/s  ${(theirs / ours).toFixed(2)} ×`,
      value: theirs / ours,
      target: { atLeast },
    }
  }
  const rss = Math.max(...(runs['seal-1'] ?? []).map((one) => one.rss))
  const shown = (name: string): Result => {
    const seconds = best(name)
    return seconds === undefined
      ? { id: 'P7', what: name, measured: '', missing: `${name} is not installed` }
      : { id: 'P7', what: name, measured: `${Math.round(size / MIB / seconds)} MB/s` }
  }
  return [
    line('P7', 'sealed file, one thread', 'seal-1', 'raw', 2.2),
    line('P7', 'sealed file, one thread', 'seal-1', 'aws', 6),
    line('P7', 'sealed file, one thread', 'seal-1', 'age', 1),
    {
      id: 'P7',
      what: 'memory (RSS) while sealing',
      measured: `${Math.round(rss)} MiB`,
      value: rss,
      target: { atMost: 150 },
    },
    line('P8', 'sealed file, two threads', 'seal-2', 'raw', 3.2),
    line('P8', 'TransformStream', 'seal-stream', 'raw', 1.8),
    line('P7', 'opened file, one thread', 'open-1', 'raw', 2.2),
    line('P8', 'opened file, two threads', 'open-2', 'raw', 3.2),
    ...['raw', 'raw-1MiB', 'aws', 'age', 'openssl'].map(shown),
  ]
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

async function child(contender: string, from: string, to: string): Promise<FileRun> {
  const script = fileURLToPath(new URL('./message-file-child.mjs', import.meta.url))
  const { stdout } = await run(process.execPath, [script, contender, from, to])
  return JSON.parse(stdout) as FileRun
}

async function command(program: string, args: readonly string[]): Promise<FileRun> {
  const start = performance.now()
  await run(program, args)
  return { seconds: (performance.now() - start) / 1000, rss: 0 }
}

/** A recipient of the age command line, or undefined when it is not installed (Debian package `age`). */
async function ageCommand(): Promise<string | undefined> {
  if (!(await isThere('age-keygen'))) return undefined
  const { stdout } = await run('age-keygen', [])
  return /public key: (age1[a-z0-9]+)/.exec(stdout)?.[1]
}

async function isThere(program: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(':')
  const found = await Promise.all(
    folders.map((folder) =>
      stat(join(folder, program)).then(
        (s) => s.isFile(),
        () => false,
      ),
    ),
  )
  return found.includes(true)
}

async function writeRandom(path: string, size: number): Promise<void> {
  const file = await open(path, 'w')
  for (let at = 0; at < size; at += MIB) await file.write(randomBytes(Math.min(MIB, size - at)))
  await file.close()
}
