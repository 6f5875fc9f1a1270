import { countAloud } from './count-aloud.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { type Output, ProblemsFound } from './output.ts'
import { printRewrapPlan, withDryRun } from './print-plan.ts'
import { untilInterrupted } from './until-interrupted.ts'
import type { Command } from './vendor.ts'

/** `strongroom rewrap`: the same keys under the KMS keys configured now, and under the active root key. */
export function addRewrap(program: Command, output: Output): void {
  withDryRun(program.command('rewrap'))
    .description('Wrap all keys anew under the current KMS and root key; repairs missing wraps. Touches no data.')
    .option('--json', 'print what was rewrapped for programs')
    .action(async (options: { dryRun?: true; json?: true }, command: Command) => {
      const config = await commandConfig(command)
      if (options.dryRun) {
        return printRewrapPlan(await withKeys(config, (keys) => keys.planRewrap()), options.json === true, output)
      }
      const onProgress = countAloud(output, 'rewrap', 'keys')
      const report = await untilInterrupted(
        (signal) => withKeys(config, (keys) => keys.rewrap({ signal, onProgress })),
        'run `strongroom rewrap` again: it goes on where it stopped',
      )
      if (options.json) output.json(report)
      else {
        output.result(`root keys wrapped anew by the KMS: ${report.roots.toLocaleString('en')}`)
        output.result(`keys moved under the active root key: ${report.keys.toLocaleString('en')}`)
      }
      if (report.missing.length === 0) return
      for (const { provider, keyId } of report.missing) output.say(`not wrapped under ${provider} ${keyId}`)
      output.hint('run `strongroom rewrap` again when these services are back')
      throw new ProblemsFound()
    })
}
