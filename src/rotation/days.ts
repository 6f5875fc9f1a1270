import { assertOptions } from '../bytes.ts'
import { ConfigError } from '../errors.ts'
import type { BackupPolicy } from './retire-checks.ts'

const MAX_DAYS = 3650

/** Refuses anything but a number of days, or nothing. @throws ConfigError */
export function assertDays(option: string, days: number | undefined): void {
  if (days !== undefined && !(Number.isFinite(days) && days >= 0 && days <= MAX_DAYS)) {
    throw new ConfigError(`${option} must be a number of days from 0 to ${MAX_DAYS}`)
  }
}

/** Refuses what does not say how long backups are kept. @throws InvalidInputError, ConfigError */
export function assertBackups(backups: BackupPolicy | undefined): void {
  assertOptions(backups, 'backups')
  if (backups === undefined) return
  if (backups.keepDays === undefined) throw new ConfigError('backups must say how many days they are kept: keepDays')
  assertDays('backups.keepDays', backups.keepDays)
  assertDays('backups.keyStoreKeepDays', backups.keyStoreKeepDays)
}
