import type { JobProgress } from '../job.ts'
import type { MigrationPhase } from '../migration/phase.ts'
import type { Output } from './output.ts'
import { startProgress } from './progress.ts'

/** Tells of the phases of a migration, and shows a bar for those that look at rows. */
export function migrateProgress(output: Output, name: string, total: number) {
  let phase: string | undefined
  let pass = 0
  let seen = 0
  let display: ReturnType<typeof startProgress> | undefined
  const end = () => {
    display?.end()
    display = undefined
    pass = 0
  }
  const show = (label: string) => {
    display ??= startProgress(output, { label, total: Math.max(1, Math.round(total)), unit: 'rows' })
    return display
  }
  return {
    end,
    onPhase: (next: MigrationPhase) => {
      if (next === phase) return
      end()
      phase = next
      output.say(`${name}: ${next}`)
    },
    onProgress: (progress: JobProgress) => {
      if (progress.pass !== pass) {
        display?.end()
        display = undefined
        seen = progress.pass === 1 ? 0 : progress.counts.rows
        pass = progress.pass
      }
      const label = [name, phase, pass > 1 && `pass ${pass}`].filter(Boolean).join(' ')
      show(label).update(progress.counts.rows - seen)
    },
    rows: (rows: number) => show(name).update(rows),
  }
}
