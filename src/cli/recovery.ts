import type { Output } from './output.ts'
import { addRecoveryCreate } from './recovery-create.ts'
import { addRecoveryRehearse } from './recovery-rehearse.ts'
import { addRecoveryRestore } from './recovery-restore.ts'
import type { Command } from './vendor.ts'

/** `strongroom recovery …`: a way back for the day on which every KMS is lost. */
export function addRecovery(program: Command, output: Output): void {
  const recovery = program
    .command('recovery')
    .description('A recovery key in shares: make it, prove it, and restore the root keys when the KMS is lost.')
  addRecoveryCreate(recovery, output)
  addRecoveryRehearse(recovery, output)
  addRecoveryRestore(recovery, output)
}
