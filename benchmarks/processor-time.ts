import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

/** Seconds of the processor that a process and its children have used, those that have ended included; undefined where no /proc tells. */
export function processorTime(pid: number): number | undefined {
  const own = statOf(pid)
  if (own === undefined) return undefined
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat?.parent === pid)
  const ticks = children.reduce((sum, stat) => sum + (stat?.alone ?? 0), own.alone + own.ended)
  return ticks / TICKS_PER_SECOND
}

/** Ticks of a process, and of its children that have ended. proc(5), /proc/[pid]/stat. */
function statOf(pid: number): { parent: number; alone: number; ended: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [, parent = 0] = fields
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11)
    return { parent, alone: user + system, ended: endedUser + endedSystem }
  } catch {
    return undefined // no such system, or the process has ended
  }
}
