import { Buffer } from 'node:buffer'
import { readSync, writeSync } from 'node:fs'
import { isMainThread, workerData } from 'node:worker_threads'
import { DecryptionError } from '../errors.ts'
import { COUNTERS, type FrameJob, JOB_FAILED, JOB_FRAMES, JOB_NEXT, JOB_STOP } from './frame-job.ts'
import { FINAL_OVERHEAD, REGULAR_OVERHEAD } from './frame-layout.ts'
import { type FrameCipher, frameCipher, sealFrame } from './frames.ts'
import { openFinal, openRegular } from './range.ts'
import { type Suite, suites } from './suites.ts'

/** Bytes per read and write. */
const BATCH = 1024 * 1024

if (!isMainThread && isFrameJob(workerData)) run(workerData)

/** Takes batches of frames until none is left, reading and writing each at its own place. */
function run(job: FrameJob): void {
  const { frameLength, counters } = job
  const perBatch = Math.max(1, Math.floor(BATCH / frameLength))
  const batches = Math.ceil(job.frames / perBatch)
  const key = Buffer.from(job.key)
  const cipher = frameCipher(suites.get(job.suite) as Suite, key, Buffer.from(job.messageId))
  const plain = Buffer.allocUnsafeSlow(perBatch * frameLength)
  const sealed = Buffer.allocUnsafeSlow(perBatch * (frameLength + REGULAR_OVERHEAD) + 8)
  try {
    for (;;) {
      const batch = Atomics.add(counters, JOB_NEXT, 1)
      if (batch >= batches || Atomics.load(counters, JOB_STOP) === 1) return
      const first = batch * perBatch
      const count = Math.min(perBatch, job.frames - first)
      if (job.kind === 'seal') sealBatch(job, cipher, first, count, plain, sealed)
      else openBatch(job, cipher, first, count, plain, sealed)
      Atomics.add(counters, JOB_FRAMES, count)
    }
  } catch (error) {
    Atomics.store(counters, JOB_STOP, 1)
    if (!(error instanceof DecryptionError)) throw error
    Atomics.store(counters, JOB_FAILED, 1)
  } finally {
    key.fill(0)
    plain.fill(0)
  }
}

function sealBatch(
  job: FrameJob,
  cipher: FrameCipher,
  first: number,
  count: number,
  plain: Buffer,
  sealed: Buffer,
): void {
  const { plainLength, sealedLength } = extent(job, first, count)
  readFully(job.input, plain, plainLength, job.plainStart + first * job.frameLength)
  let at = 0
  for (let i = 0; i < count; i++) {
    const seq = first + i + 1
    const from = i * job.frameLength
    const kind = seq === job.frames ? 'final' : 'regular'
    at = sealFrame(cipher, kind, seq, plain.subarray(from, Math.min(plainLength, from + job.frameLength)), sealed, at)
  }
  writeFully(job.output, sealed, sealedLength, job.sealedStart + first * (job.frameLength + REGULAR_OVERHEAD))
}

function openBatch(
  job: FrameJob,
  cipher: FrameCipher,
  first: number,
  count: number,
  plain: Buffer,
  sealed: Buffer,
): void {
  const { plainLength, sealedLength } = extent(job, first, count)
  readFully(job.input, sealed, sealedLength, job.sealedStart + first * (job.frameLength + REGULAR_OVERHEAD))
  for (let i = 0; i < count; i++) {
    const seq = first + i + 1
    const from = i * (job.frameLength + REGULAR_OVERHEAD)
    const frame =
      seq === job.frames
        ? openFinal(cipher, seq, sealed.subarray(from, sealedLength))
        : openRegular(cipher, seq, sealed.subarray(from), job.frameLength)
    frame.copy(plain, i * job.frameLength)
  }
  writeFully(job.output, plain, plainLength, job.plainStart + first * job.frameLength)
}

function extent(job: FrameJob, first: number, count: number): { plainLength: number; sealedLength: number } {
  const withFinal = first + count === job.frames
  const plainLength = withFinal ? (count - 1) * job.frameLength + job.lastLength : count * job.frameLength
  const overhead = withFinal ? (count - 1) * REGULAR_OVERHEAD + FINAL_OVERHEAD : count * REGULAR_OVERHEAD
  return { plainLength, sealedLength: plainLength + overhead }
}

/** Fewer bytes than expected mean that the file was shortened meanwhile. */
function readFully(file: number, into: Buffer, length: number, position: number): void {
  let done = 0
  while (done < length) {
    const read = readSync(file, into, done, length - done, position + done)
    if (read === 0) throw new Error('the file changed while it was read')
    done += read
  }
}

function writeFully(file: number, from: Buffer, length: number, position: number): void {
  let done = 0
  while (done < length) done += writeSync(file, from, done, length - done, position + done)
}

function isFrameJob(data: unknown): data is FrameJob {
  return (
    typeof data === 'object' && data !== null && 'counters' in data && (data as FrameJob).counters.length === COUNTERS
  )
}
