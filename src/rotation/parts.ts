import { assertFilled, assertObject, assertOptions } from '../bytes.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { assertRecord } from '../records/schema.ts'
import type { Table } from '../table.ts'
import { assertTables } from '../table-shape.ts'
import { assertBackups } from './days.ts'
import type { BackupPolicy } from './retire-checks.ts'

/** What of a configuration rotation, retirement and erasure look at. */
interface Parts {
  readonly name: string
  readonly records?: Readonly<Record<string, AnyRecord>>
  readonly tables?: Readonly<Record<string, Table | undefined>>
  readonly backups?: BackupPolicy
}

/** Refuses what is no configuration, before a key or a row is touched. @throws InvalidInputError, ConfigError */
export function assertParts(parts: Parts): void {
  assertObject(parts, 'the parts')
  assertFilled(parts.name, 'name')
  assertOptions(parts.records, 'records')
  for (const record of Object.values(parts.records ?? {})) assertRecord(record)
  assertTables(parts.tables)
  assertBackups(parts.backups)
}
