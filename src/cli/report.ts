import { readFile } from 'node:fs/promises'
import { KeyNotFoundError } from '../errors.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { ReportVerdict } from '../keys/report-proof.ts'
import { type Finality, finality, type ShredReceipt } from '../rotation/shred.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { CommandError, type Output, ProblemsFound } from './output.ts'
import { addReportRotation } from './report-rotation.ts'
import type { Command } from './vendor.ts'

const MAX_BYTES = 256 * 1024 * 1024

/** `strongroom report verify`: whether a receipt or a report is as it was made, and what it says today. */
export function addReport(program: Command, output: Output): void {
  const report = program.command('report').description('Reports and receipts.')
  addReportRotation(report, output)
  report
    .command('verify')
    .argument('<file>', 'a receipt or report, as JSON')
    .description(
      'Say whether it was made with these keys and not changed since; of an erasure, whether it is final. Changes nothing.',
    )
    .option('--json', 'print the result for programs')
    .action(async (path: string, options: { json?: true }, command: Command) => {
      const config = await commandConfig(command)
      const body = await readReport(path)
      const result = await withKeys(config, async (keys): Promise<ReportVerdict & { finality?: Finality }> => {
        const verdict = await keys.verifyReport(body)
        if (!verdict.genuine || (body as { kind?: unknown }).kind !== 'shred') return verdict
        const receipt = body as ShredReceipt
        const back = await keysBack(keys, receipt)
        if (back.length > 0)
          return { genuine: false, why: `keys that it says are destroyed are not: ${back.join(', ')}` }
        return { ...verdict, finality: finality(receipt, config.backups, new Date()) }
      })
      if (options.json) output.json(result)
      else if (result.genuine) {
        output.result(`genuine: proved with key ${result.keyId}, made at ${(body as { at?: unknown }).at}`)
        if (result.finality !== undefined) output.result(`${result.finality.status}: ${result.finality.because}`)
      } else output.result(output.colours.red(`not genuine: ${result.why}`))
      if (!result.genuine) throw new ProblemsFound()
    })
}

const MAX_NAMED = 10

/** Keys of a receipt that are in the store and not destroyed. A store from before they were made does not have them. */
async function keysBack(keys: KeyManager, receipt: ShredReceipt): Promise<string[]> {
  const back: string[] = []
  for (const { id } of receipt.keys) {
    const state = await keys.get(id).then(
      (key) => key.state,
      (error: unknown) => {
        if (error instanceof KeyNotFoundError) return 'destroyed'
        throw error
      },
    )
    if (state !== 'destroyed' && back.length < MAX_NAMED) back.push(id)
  }
  return back
}

async function readReport(path: string): Promise<unknown> {
  try {
    const bytes = await readFile(path)
    if (bytes.byteLength > MAX_BYTES) throw new Error('it is too large')
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new CommandError(`cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}
