import type { KeyStepPlan } from '../keys/key-step.ts'
import type { RewrapPlan } from '../keys/rewrap-plan.ts'
import type { RotationPlan, WrapTarget } from '../keys/rotation-plan.ts'
import type { Output } from './output.ts'
import type { RewrapFilePlan } from './rewrap-file-plan.ts'
import { table } from './table.ts'
import type { Command } from './vendor.ts'

const MAX_ROWS = 20

/** Adds the option that every command which changes something has. */
export function withDryRun(command: Command): Command {
  return command.option('--dry-run', 'say what would be changed, and change nothing')
}

/** What a rotation would do, as a table or for programs. */
export function printRotationPlan(plan: RotationPlan, json: boolean, output: Output): void {
  if (isPrinted(plan, json, output)) return
  const count = plan.keys.length
  const rows = plan.keys
    .slice(0, MAX_ROWS)
    .map(({ replaces, waiting }) => [
      replaces.scope,
      replaces.id,
      replaces.createdAt.toISOString(),
      waiting === null ? 'a new key' : `${waiting.id}, which waits`,
    ])
  if (rows.length > 0) output.result(table(output, ['scope', 'writes now', 'made at', 'would hand over to'], rows))
  if (count > MAX_ROWS) output.result(`… and ${(count - MAX_ROWS).toLocaleString('en')} more: --json shows all`)
  output.result(`would rotate ${count.toLocaleString('en')} ${plan.purpose} ${count === 1 ? 'key' : 'keys'}`)
  if (plan.wraps.length > 0) output.result(`the new one would be wrapped under ${listed(plan.wraps)}`)
  nothingChanged(output)
}

/** What a rewrap would do, as a table or for programs. */
export function printRewrapPlan(plan: RewrapPlan, json: boolean, output: Output): void {
  if (isPrinted(plan, json, output)) return
  const rows = plan.roots.map(({ id, state, wraps }) => [id, state, listed(wraps)])
  output.result(table(output, ['root key', 'state', 'is wrapped under'], rows))
  output.result(`each would be wrapped under ${listed(plan.wraps)}`)
  output.result(`keys that would move under the active root key: ${plan.keys.toLocaleString('en')}`)
  output.result(
    `calls to key management services, without retries: ${plan.calls.unwrap} unwrap, ${plan.calls.wrap} wrap`,
  )
  nothingChanged(output)
}

/** What a step would do to a key, in words or for programs. */
export function printStepPlan(plan: KeyStepPlan, json: boolean, output: Output): void {
  if (isPrinted(plan, json, output)) return
  const { key, to, rotates } = plan
  output.result(`${key.purpose} key ${key.id} of ${key.scope} is ${key.state}, and would be ${to}`)
  if (rotates) output.result(`${key.scope} would get another writing key first`)
  nothingChanged(output)
}

/** What would become of sealed files, as a table or for programs. */
export function printRewrapFilePlans(files: readonly RewrapFilePlan[], json: boolean, output: Output): void {
  if (isPrinted({ files }, json, output)) return
  const rows = files.map(({ path, size, recipients, to }) => [path, size, listed(recipients), listed(to)])
  const after = files.some(({ writes }) => writes !== undefined) ? 'would lie beside it for' : 'would be sealed for'
  output.result(table(output, ['file', 'bytes', 'is sealed for', after], rows))
  nothingChanged(output)
}

/** For programs: the plan as it is. */
function isPrinted(plan: object, json: boolean, output: Output): boolean {
  if (json) output.json({ dryRun: true, ...plan })
  return json
}

function listed(targets: readonly WrapTarget[]): string {
  return targets.map(({ provider, keyId }) => `${provider} ${keyId}`).join(', ')
}

function nothingChanged(output: Output): void {
  output.hint('nothing was changed: run it again without --dry-run')
}
