import type { Output } from './output.ts'
import { addPasswordsAudit } from './passwords-audit.ts'
import { addPasswordsCalibrate } from './passwords-calibrate.ts'
import { addPasswordsReencrypt } from './passwords-reencrypt.ts'
import { addPasswordsWrap } from './passwords-wrap.ts'
import type { Command } from './vendor.ts'

/** `strongroom passwords …`: measure this machine, look at a table of users, protect what is weak in it. */
export function addPasswords(program: Command, output: Output): void {
  const passwords = program
    .command('passwords')
    .description('Measure password hashing here; audit and protect a table of stored passwords.')
  addPasswordsCalibrate(passwords, output)
  addPasswordsAudit(passwords, output)
  addPasswordsWrap(passwords, output)
  addPasswordsReencrypt(passwords, output)
}
