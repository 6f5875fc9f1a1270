import type { EventHub, StrongroomEvent } from '../events.ts'
import type { SlowHash } from '../index/slow-tag.ts'
import type { Clock } from '../keys/clock.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { Keyring } from '../keys/keyring.ts'
import { type CompiledRecord, compileRecord } from './compiled-record.ts'
import { RecordIndexes } from './record-index.ts'
import { RowContext } from './row-context.ts'
import { RowIdentifier, type RowIdentity } from './row-identity.ts'
import type { RecordSchema } from './schema.ts'

/** What a record cipher works with. */
export interface RecordParts {
  readonly app: string
  readonly keyring: Keyring
  readonly keys: KeyManager
  readonly events: EventHub
  readonly clock: Clock
  readonly slowHash: SlowHash
}

/** The parts, and what is made of one record once: shared by all that reads and writes its rows. */
export interface OpenRecord extends RecordParts {
  readonly record: CompiledRecord
  readonly indexes: RecordIndexes
  readonly identifier: RowIdentifier
  /** The columns that identify a row. */
  readonly identity: ReadonlySet<string>
  /** One for all rows: what is begun must be used before anything else can run. */
  readonly context: RowContext
}

/** Checks and compiles a record. @throws ConfigError */
export function openRecord(schema: RecordSchema, parts: RecordParts): OpenRecord {
  const record = compileRecord(schema)
  const { name, options } = schema
  const context = new RowContext({
    app: parts.app,
    table: name,
    columns: [...record.columns.keys()],
    bound: options.unbound !== true,
    tenant: options.tenant !== undefined,
  })
  const identifier = new RowIdentifier(parts.app, name, options)
  const identity = new Set(identifier.columns)
  return { ...parts, record, indexes: new RecordIndexes(record), identifier, identity, context }
}

/** The scope of an index's key for a row. */
export function indexScope({ identifier }: OpenRecord, global: boolean, { tenant }: RowIdentity): string {
  return global ? '' : identifier.tenantScope(tenant)
}

/** The event that a key was used for a column. */
export function keyUsed(
  table: string,
  operation: 'encrypt' | 'decrypt' | 'index',
  keyId: string,
  column: string,
  row: string | undefined,
): StrongroomEvent {
  const purpose = operation === 'index' ? 'index' : 'data'
  return { type: 'key.used', operation, keyId, purpose, table, column, ...(row === undefined ? {} : { row }) }
}
