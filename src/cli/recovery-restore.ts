import { confirm } from './confirm.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { type Output, ProblemsFound } from './output.ts'
import { printRewrapPlan, withDryRun } from './print-plan.ts'
import { providersOf, withRecoveryKey } from './recovery-key.ts'
import { untilInterrupted } from './until-interrupted.ts'
import type { Command } from './vendor.ts'

/** `strongroom recovery restore`: after the KMS is lost, wraps the root keys under the KMS that is configured now. */
export function addRecoveryRestore(parent: Command, output: Output): void {
  withDryRun(parent.command('restore'))
    .argument('[shares...]', 'files with shares, or - for stdin; asked for on a terminal')
    .description(
      'Open the root keys with shares, and wrap them under every KMS that is configured now. Touches no data.',
    )
    .option('--json', 'print what was rewrapped for programs')
    .option('-y, --yes', 'do not ask for confirmation')
    .action(async (files: string[], options: { dryRun?: true; json?: true; yes?: true }, command: Command) => {
      const config = await commandConfig(command)
      const report = await withRecoveryKey(config, files, output, async (opened, provider) => {
        const what =
          'restore: every root key is opened with the shares, and wrapped under the KMS keys in the configuration'
        if (!options.dryRun) await confirm(output, what, 'restore', options.yes === true)
        const kms = providersOf(config).map((one) => (one === provider ? opened : one))
        const { minWraps } = config.resilience ?? {}
        // The opened recovery key is one provider more that is counted, and always wraps: it must not stand in for a service.
        const resilience = { ...config.resilience, ...(minWraps !== undefined && { minWraps: minWraps + 1 }) }
        const reopened = { ...config, kms, resilience }
        if (options.dryRun) {
          printRewrapPlan(await withKeys(reopened, (keys) => keys.planRewrap()), options.json === true, output)
          return undefined
        }
        return untilInterrupted(
          (signal) => withKeys(reopened, (keys) => keys.rewrap({ signal })),
          'run it again: it goes on where it stopped',
        )
      }).finally(() => config.store.close?.())
      if (report === undefined) return
      if (options.json) output.json(report)
      else output.result(`root keys wrapped anew: ${report.roots.toLocaleString('en')}`)
      for (const { provider, keyId } of report.missing) output.say(`not wrapped under ${provider} ${keyId}`)
      if (report.missing.length > 0) throw new ProblemsFound()
      output.hint('check with `strongroom doctor`; then make a new recovery key, because these shares were together')
    })
}
