import { Buffer } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { DecryptionError, InvalidInputError, StrongroomError } from '../errors.ts'
import { COUNTERS, type FrameJob, JOB_FAILED, JOB_FRAMES, JOB_STOP } from './frame-job.ts'
import { FINAL_OVERHEAD, frameCount, REGULAR_OVERHEAD } from './frame-layout.ts'
import type { FrameCipher } from './frames.ts'
import type { Header } from './header.ts'
import { bodyLayout } from './range.ts'
import type { StartedMessage } from './seal.ts'
import type { Progress, StreamEvents } from './stream.ts'

/** Below this many bytes, starting threads takes longer than they save. */
const WORTH_THREADS = 128 * 1024 * 1024
/** Half of the cores: one thread already reads and writes beside its cipher, so it keeps two of them busy. */
const MOST_BY_DEFAULT = 4
const MOST = 64

/** How many threads a file of this size takes. @throws InvalidInputError */
export function threadsFor(threads: number | undefined, size: number): number {
  if (threads === undefined) {
    return size < WORTH_THREADS ? 1 : Math.max(1, Math.min(MOST_BY_DEFAULT, availableParallelism() >> 1))
  }
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > MOST) {
    throw new InvalidInputError(`threads must be a whole number from 1 to ${MOST}`)
  }
  return threads
}

export interface ThreadOptions extends StreamEvents {
  readonly signal?: AbortSignal
}

/**
 * Seals a file of known size with several threads, each reading, sealing and writing frames at their own places: the
 * same bytes as one thread writes. A file that changes its size meanwhile is an error.
 */
export async function sealWithThreads(
  input: FileHandle,
  output: FileHandle,
  size: number,
  message: StartedMessage,
  threads: number,
  options: ThreadOptions,
): Promise<Progress> {
  const { header, cipher, frameLength } = message
  const frames = frameCount(size, frameLength)
  const end = header.length + (frames - 1) * REGULAR_OVERHEAD + FINAL_OVERHEAD + size
  await output.truncate(end)
  await output.write(header, 0, header.length, 0)
  const place = { plainStart: 0, sealedStart: header.length, frames, lastLength: size - (frames - 1) * frameLength }
  await runThreads({ ...job('seal', input, output, cipher, frameLength), ...place }, threads, options)
  if ((await input.stat()).size !== size)
    throw new StrongroomError('ERR_FILE_CHANGED', 'the file changed while it was sealed')
  return { bytes: size, frames }
}

/** Opens a file with several threads; every frame is verified at the place that its number gives it. @throws DecryptionError */
export async function openWithThreads(
  input: FileHandle,
  output: FileHandle,
  size: number,
  header: Header,
  cipher: FrameCipher,
  threads: number,
  options: ThreadOptions,
): Promise<Progress> {
  const layout = bodyLayout(size - header.length, header.frameLength)
  await output.truncate(layout.plaintextLength)
  const place = { plainStart: 0, sealedStart: header.length, frames: layout.frames, lastLength: layout.lastLength }
  await runThreads({ ...job('open', input, output, cipher, header.frameLength), ...place }, threads, options)
  return { bytes: layout.plaintextLength, frames: layout.frames }
}

type Unplaced = Omit<FrameJob, 'plainStart' | 'sealedStart' | 'frames' | 'lastLength' | 'counters'>

function job(
  kind: FrameJob['kind'],
  input: FileHandle,
  output: FileHandle,
  cipher: FrameCipher,
  frameLength: number,
): Unplaced {
  // Shared, so that there is one copy to wipe.
  const key = new Uint8Array(new SharedArrayBuffer(cipher.key.length))
  key.set(cipher.key)
  return {
    kind,
    input: input.fd,
    output: output.fd,
    suite: cipher.suite.id,
    key,
    messageId: Buffer.from(cipher.messageId),
    frameLength,
  }
}

async function runThreads(work: Omit<FrameJob, 'counters'>, threads: number, options: ThreadOptions): Promise<void> {
  const counters = new Int32Array(new SharedArrayBuffer(COUNTERS * 4))
  const bytesOf = (frames: number) =>
    frames >= work.frames ? (work.frames - 1) * work.frameLength + work.lastLength : frames * work.frameLength
  const report = () => {
    const frames = Atomics.load(counters, JOB_FRAMES) >>> 0
    options.onProgress?.({ bytes: bytesOf(frames), frames })
  }
  const stop = () => Atomics.store(counters, JOB_STOP, 1)
  options.signal?.addEventListener('abort', stop)
  const timer = options.onProgress && setInterval(report, 100)
  try {
    options.signal?.throwIfAborted()
    const ended = await Promise.allSettled(
      Array.from({ length: threads }, () => runWorker({ ...work, counters }, stop)),
    )
    options.signal?.throwIfAborted()
    for (const one of ended) if (one.status === 'rejected') throw one.reason
    if (Atomics.load(counters, JOB_FAILED) === 1) throw new DecryptionError()
    report()
  } finally {
    clearInterval(timer)
    options.signal?.removeEventListener('abort', stop)
    work.key.fill(0)
  }
}

function runWorker(workerData: FrameJob, stop: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = FROM_SOURCE
      ? new Worker(BOOT, { eval: true, workerData })
      : new Worker(WORKER, { workerData, execArgv: [] })
    worker.once('error', (error) => {
      stop()
      reject(error)
    })
    worker.once('exit', () => resolve())
  })
}

const FROM_SOURCE = import.meta.url.endsWith('.ts')
/** The built package has the worker beside this chunk. */
const WORKER = new URL(FROM_SOURCE ? './frame-worker.ts' : './frame-worker.js', import.meta.url)
/** Run from source, as the tests do, a thread has to learn to read TypeScript first. */
const BOOT = `import('jiti').then(({ createJiti }) => createJiti('${WORKER.href}').import('${WORKER.href}'))`
