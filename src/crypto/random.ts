import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { startupSnapshot } from 'node:v8'
import { StrongroomError } from '../errors.ts'

const POOL_SIZE = 4096
const CLOCK_DRIFT_MS = 1000

// Its own memory, never a slice of Node's shared pool, and one per thread because every thread loads its own module.
const pool = Buffer.alloc(POOL_SIZE)
let used = POOL_SIZE
let clockOffset = 0
let epoch = 0

/**
 * Writes `length` fresh random bytes to `out` at `offset`, at most 4,096 at a time.
 * The pool is dropped when wall clock and monotonic clock part by over a second, as they do when a virtual machine is
 * resumed from a snapshot: a clone must not repeat nonces. Specification section 3.2.
 */
export function randomInto(out: Buffer, offset: number, length: number): void {
  randomEpoch()
  if (used + length > POOL_SIZE) refill()
  pool.copy(out, offset, used, used + length)
  pool.fill(0, used, used + length)
  used += length
}

/**
 * A number that changes whenever the pool is dropped because the machine may be a resumed copy: whoever drew random
 * bytes ahead of their use must compare it before each use, and draw again when it changed.
 */
export function randomEpoch(): number {
  const offset = Date.now() - performance.now()
  const drift = offset - clockOffset
  if (drift > CLOCK_DRIFT_MS || drift < -CLOCK_DRIFT_MS) {
    epoch++
    used = POOL_SIZE
    clockOffset = offset
  }
  return epoch
}

/** `length` fresh random bytes, at most 4,096, in memory of their own. */
export function randomBytes(length: number): Buffer {
  const out = Buffer.alloc(length)
  randomInto(out, 0, length)
  return out
}

function refill(): void {
  if (startupSnapshot.isBuildingSnapshot()) {
    throw new StrongroomError('ERR_SNAPSHOT', 'random bytes are refused while a startup snapshot is being built')
  }
  randomFillSync(pool)
  used = 0
}
