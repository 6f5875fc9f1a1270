import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Names one process for as long as its machine runs: a process id alone is used again by another process. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in the words of the operating system; null where that cannot be told. */
  readonly started: string | null
  /** The machine since its last start, and the container: only here does the pid mean anything. */
  readonly place: string
}

/** The identity of this process. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, started: startOf(process.pid), place: thisPlace() }
}

/** Whether a process has ended, or undefined when it runs somewhere that cannot be seen from here. */
export function hasEnded({ pid, started, place }: ProcessIdentity): boolean | undefined {
  if (place !== thisPlace()) return undefined
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
  const now = startOf(pid)
  return started !== null && now !== null && now !== started
}

function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' || state === 'X' ? 'ended' : (rest[START_TIME] ?? null)
  } catch {
    return process.platform === 'linux' ? null : startByPs(pid)
  }
}

// Field 22 of proc(5) stat; the fields behind the state are counted from 4.
const START_TIME = 22 - 4

function startByPs(pid: number): string | null {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

function thisPlace(): string {
  const part = (read: () => string) => {
    try {
      return read().trim()
    } catch {
      return ''
    }
  }
  const boot = part(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))
  const namespace = part(() => readlinkSync('/proc/self/ns/pid'))
  return `${hostname()} ${boot} ${namespace}`.trim()
}
