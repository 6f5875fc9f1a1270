import { Buffer } from 'node:buffer'
import { equalBytes, wipe } from '../bytes.ts'
import { KmsError } from '../errors.ts'
import type { KeyRecord, KeyState } from '../key-store.ts'
import { assertRecord, commitmentOf, rootContext, wrappedKeys } from '../keys/record.ts'
import { mayRewrapRoot } from '../keys/states.ts'
import type { KmsProvider } from '../kms.ts'
import { commandConfig } from './open-keys.ts'
import { type Output, ProblemsFound } from './output.ts'
import { withRecoveryKey } from './recovery-key.ts'
import { table } from './table.ts'
import type { Command } from './vendor.ts'

/** Whether the shares open one root key. */
interface RehearsedKey {
  readonly id: string
  readonly state: KeyState
  readonly result: 'opens' | 'not wrapped' | 'does not open'
}

const LIMIT = 1000

/** `strongroom recovery rehearse`: proves that the shares open every root key in use. Needs no KMS and changes nothing. */
export function addRecoveryRehearse(parent: Command, output: Output): void {
  parent
    .command('rehearse')
    .argument('[shares...]', 'files with shares, or - for stdin; asked for on a terminal')
    .description('Prove that shares open every root key in use. Needs no KMS, and changes nothing.')
    .option('--json', 'print the result for programs')
    .action(async (files: string[], options: { json?: true }, command: Command) => {
      const config = await commandConfig(command)
      try {
        const roots = await withRecoveryKey(config, files, output, async (opened) => {
          const records = await config.store.list({ purpose: 'root', limit: LIMIT })
          const rehearsed: RehearsedKey[] = []
          for (const record of records.filter(({ state }) => mayRewrapRoot(state))) {
            rehearsed.push({ id: record.id, state: record.state, result: await rehearse(record, opened) })
          }
          return rehearsed
        })
        const good = roots.length > 0 && roots.every(({ result }) => result === 'opens')
        if (options.json) output.json({ good, roots })
        else print(roots, good, output)
        if (!good) throw new ProblemsFound()
      } finally {
        await config.store.close?.()
      }
    })
}

async function rehearse(record: KeyRecord, opened: KmsProvider): Promise<RehearsedKey['result']> {
  assertRecord(record)
  const wrapped = wrappedKeys(record).find((candidate) => opened.accepts(candidate))
  if (wrapped === undefined) return 'not wrapped'
  try {
    const secret = await opened.unwrap(wrapped, { context: rootContext(record) })
    const same = equalBytes(commitmentOf(secret), Buffer.from(record.commitment, 'hex'))
    wipe(secret)
    return same ? 'opens' : 'does not open'
  } catch (error) {
    if (error instanceof KmsError) return 'does not open'
    throw error
  }
}

function print(roots: readonly RehearsedKey[], good: boolean, output: Output): void {
  const { green, red } = output.colours
  const rows = roots.map(({ id, state, result }) => [id, state, result])
  output.result(table(output, ['root key', 'state', 'with these shares'], rows))
  output.result(good ? green('the shares open every root key in use') : red('the shares do not open every root key'))
  if (roots.length === 0) output.hint('the key store holds no root key')
  if (roots.some(({ result }) => result === 'not wrapped')) output.hint('strongroom rewrap')
}
