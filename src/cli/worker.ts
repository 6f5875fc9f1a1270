import { StrongroomError } from '../errors.ts'
import type { AllowedState } from '../keys/states.ts'
import { workOnRanges } from '../rotation/worker.ts'
import { openStrongroom } from '../strongroom.ts'
import { type JobCommandOptions, jobOptions, withPaceOptions } from './job-options.ts'
import { commandConfig } from './open-keys.ts'
import { CommandError, type Output } from './output.ts'
import { allowOption } from './reencrypt.ts'
import { stopSignal } from './until-interrupted.ts'
import type { Command } from './vendor.ts'

interface WorkerCommandOptions extends Omit<JobCommandOptions, 'dryRun' | 'json'> {
  readonly allow?: AllowedState[]
}

/** `strongroom worker`: works on ranges of tables until it is stopped. */
export function addWorker(program: Command, output: Output): void {
  withPaceOptions(program.command('worker'))
    .description(
      'Work on ranges that `reencrypt --ranges` has put into the queue, until stopped. Runs on any number of machines.',
    )
    .addOption(allowOption())
    .action(async (options: WorkerCommandOptions, command: Command) => {
      const config = await commandConfig(command)
      const { queue, tables = {} } = config
      if (queue === undefined) {
        throw new CommandError('the configuration has no queue', {
          exitCode: 2,
          hint: 'add `queue: pgBossQueue({ … })` from strongroom/pg-boss beside `tables`',
        })
      }
      const { signal, release } = stopSignal()
      const room = await openStrongroom(config)
      const { dryRun: _, ...pace } = jobOptions(options)
      output.say(`waiting for ranges on ${queue.name}`)
      try {
        await workOnRanges(room, tables, queue, {
          ...pace,
          ...(options.allow && { allow: options.allow }),
          signal,
          onRange: (event) => {
            if (event.type === 'failed') return output.say(`${event.task.record}: given back: ${reasonOf(event.error)}`)
            const { rows, written, failed } = event.report.counts
            output.say(
              `${event.job.record}: range done: ${rows} rows, ${written} written${failed > 0 ? `, ${failed} unreadable` : ''}`,
            )
          },
        })
      } finally {
        release()
        await room.close()
      }
    })
}

function reasonOf(error: unknown): string {
  if (error instanceof StrongroomError) return `${error.message} (${error.code})`
  return error instanceof Error ? error.message : 'it failed'
}
