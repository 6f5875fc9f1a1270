import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Result, SuiteOptions } from './result.ts'

const MIB = 1024 * 1024
const run = promisify(execFile)

interface FileRun {
  readonly seconds: number
  /** MiB at the most; undefined for programs of others. */
  readonly rss?: number
  /** Seconds of processor time; undefined for programs of others. */
  readonly cpu?: number
}

/** P7 and P8: a file sealed and opened, each contender in a process of its own, by turns. */
export async function benchmarkMessageFiles(options: SuiteOptions): Promise<Result[]> {
  if (!existsSync(new URL('../dist/index.js', import.meta.url))) {
    const missing = 'they are measured from the built package: npm run build'
    return [{ id: 'P7', what: 'sealed files', measured: '', missing }]
  }
  const home = await mkdtemp(join(tmpdir(), 'strongroom-bench-'))
  try {
    const results = await inTurns(options, home, options.quick ? 32 * MIB : 1024 * MIB)
    return options.large === true ? [...results, ...(await large(home))] : results
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

async function inTurns({ quick, peers }: SuiteOptions, home: string, size: number): Promise<Result[]> {
  const [plain, sealed, out] = [join(home, 'plain'), join(home, 'sealed'), join(home, 'out')]
  await writeRandom(plain, size)
  await child('seal-1', plain, sealed)
  const jobs: Record<string, () => Promise<FileRun>> = {}
  for (const name of ['copy', 'raw', 'raw-1MiB', 'loop', 'seal-1', 'seal-2', 'seal-stream']) {
    jobs[name] = () => child(name, plain, out)
  }
  for (const name of ['open-1', 'open-2']) jobs[name] = () => child(name, sealed, out)
  if (peers) {
    for (const name of ['aws', 'age-npm', 'secretstream']) jobs[name] = () => child(name, plain, out)
    const age = await ageCommand()
    if (age !== undefined) jobs.age = () => command('age', ['-r', age, '-o', out, plain])
    const ctr = ['enc', '-aes-256-ctr', '-K', '07'.repeat(32), '-iv', '00'.repeat(16), '-in', plain, '-out', out]
    if (await isThere('openssl')) jobs.openssl = () => command('openssl', ctr)
  }
  const runs: Record<string, FileRun[]> = Object.fromEntries(Object.keys(jobs).map((name) => [name, []]))
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    for (const [name, job] of Object.entries(jobs)) {
      await rm(out, { force: true })
      const result = await job().catch((error: Error) => {
        if (name in OURS || round > 0) throw error
        console.error(`${name}: ${error.message.split('\n')[0]}`)
        delete jobs[name]
      })
      if (result) runs[name]?.push(result)
    }
  }
  return lines(runs, size)
}

/** What must work for the table to mean anything; programs of others may be missing. */
const OURS: Readonly<Record<string, true>> = { raw: true, 'seal-1': true, 'seal-2': true, 'seal-stream': true }

function lines(runs: Readonly<Record<string, readonly FileRun[]>>, size: number): Result[] {
  const least = (name: string, what: 'seconds' | 'cpu'): number | undefined => {
    const values = (runs[name] ?? []).flatMap((one) => one[what] ?? [])
    return values.length === 0 ? undefined : Math.min(...values)
  }
  const speed = (seconds: number) => `${Math.round(size / MIB / seconds)} MB/s`
  const compared = (id: string, what: string, name: string, other: string, atLeast: number): Result => {
    const [ours, theirs] = [least(name, 'seconds'), least(other, 'seconds')]
    const line = { id, what: `${what}, beside ${NAMES[other]}` }
    if (ours === undefined || theirs === undefined) return { ...line, measured: '', missing: 'not installed' }
    const [ourCpu, theirCpu] = [least(name, 'cpu'), least(other, 'cpu')]
    const cpu =
      ourCpu === undefined || theirCpu === undefined ? '' : `  (processor time ${(theirCpu / ourCpu).toFixed(2)} ×)`
    const value = theirs / ours
    return { ...line, measured: `${speed(ours)}  ${value.toFixed(2)} ×${cpu}`, value, target: { atLeast } }
  }
  const shown = (name: string): Result => {
    const seconds = least(name, 'seconds')
    const line = { id: 'P7', what: NAMES[name] as string }
    if (seconds === undefined) return { ...line, measured: '', missing: 'not installed' }
    const cpu = least(name, 'cpu')
    const rss = Math.max(...(runs[name] ?? []).map((one) => one.rss ?? 0))
    return {
      ...line,
      measured: `${speed(seconds)}${cpu === undefined ? '' : `  (${cpu.toFixed(2)} s of processor time, ${Math.round(rss)} MiB)`}`,
    }
  }
  return [
    compared('P7', 'sealed file, one thread', 'seal-1', 'raw', 2.2),
    compared('P7', 'sealed file, one thread', 'seal-1', 'aws', 6),
    compared('P7', 'sealed file, one thread', 'seal-1', 'age', 1),
    compared('P7', 'opened file, one thread', 'open-1', 'raw', 2.2),
    compared('P8', 'sealed file, two threads', 'seal-2', 'raw', 3.2),
    compared('P8', 'opened file, two threads', 'open-2', 'raw', 3.2),
    compared('P8', 'TransformStream', 'seal-stream', 'raw', 1.8),
    ...['seal-1', 'open-1', 'seal-2', 'seal-stream'].map((name) => memory(name, runs[name] ?? [], size)),
    ...Object.keys(NAMES).map(shown),
  ]
}

const NAMES: Readonly<Record<string, string>> = {
  copy: 'the file copied, not encrypted: what the file system alone takes',
  raw: 'a pipeline of createCipheriv',
  'raw-1MiB': 'the same, reading 1 MiB at a time',
  loop: 'a bare loop of AES-GCM frames, synchronous',
  openssl: 'openssl enc -aes-256-ctr, which authenticates nothing',
  secretstream: 'sodium-native, secretstream',
  age: 'the age command line',
  'age-npm': 'age-encryption (npm)',
  aws: '@aws-crypto/client-node, frames of 64 KiB',
}

function memory(name: string, runs: readonly FileRun[], size: number): Result {
  const value = Math.max(...runs.map(({ rss }) => rss ?? 0))
  const what = `memory (RSS), ${size / MIB / 1024} GiB, ${name}`
  const measured = `${Math.round(value)} MiB`
  // The target is that of one thread; each thread more holds buffers and an engine of its own, however long the file is.
  return { id: 'P7', what, measured, ...(!name.endsWith('-2') && { value, target: { atMost: 150 } }) }
}

/** Ten times the size: the time may grow as much, the memory not. The plaintext is a hole in a file, so that it takes no disk. */
async function large(home: string): Promise<Result[]> {
  const size = 10 * 1024 * MIB
  const [plain, sealed, out] = [join(home, 'large'), join(home, 'large.sr'), join(home, 'out')]
  const file = await open(plain, 'w')
  await file.truncate(size)
  await file.close()
  const results: Result[] = []
  for (const name of ['seal-2', 'seal-stream', 'seal-1', 'open-1', 'open-2']) {
    const [from, to] = name.startsWith('open') ? [sealed, out] : [plain, name === 'seal-1' ? sealed : out]
    await rm(to, { force: true })
    const one = await child(name, from, to)
    const length = (await stat(to)).size
    if (name.startsWith('open') ? length !== size : length < size) throw new Error(`${name} wrote ${length} bytes`)
    results.push(memory(name, [one], size))
    results.push({ id: 'P7', what: `10 GiB, ${name}`, measured: `${Math.round(size / MIB / one.seconds)} MB/s` })
  }
  return results
}

async function child(contender: string, from: string, to: string): Promise<FileRun> {
  const script = fileURLToPath(new URL('./message-file-child.mjs', import.meta.url))
  const { stdout } = await run(process.execPath, [script, contender, from, to])
  return JSON.parse(stdout) as FileRun
}

async function command(program: string, args: readonly string[]): Promise<FileRun> {
  const start = performance.now()
  await run(program, args)
  return { seconds: (performance.now() - start) / 1000 }
}

/** A recipient of the age command line, or undefined when it is not installed (Debian package `age`). */
async function ageCommand(): Promise<string | undefined> {
  if (!(await isThere('age-keygen'))) return undefined
  const { stdout } = await run('age-keygen', [])
  return /public key: (age1[a-z0-9]+)/.exec(stdout)?.[1]
}

async function isThere(program: string): Promise<boolean> {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program)))
}

async function writeRandom(path: string, size: number): Promise<void> {
  const file = await open(path, 'w')
  for (let at = 0; at < size; at += MIB) await file.write(randomBytes(Math.min(MIB, size - at)))
  await file.close()
}
