import { DecryptionError, KeyNotResidentError } from '../errors.ts'
import type { StrongroomEvent } from '../events.ts'
import { keyIdOf, looksEncrypted, parseField } from '../format/field.ts'
import type { ResidentKey } from '../keys/resident-key.ts'
import type { AllowedState } from '../keys/states.ts'
import type { Column } from './compiled-record.ts'
import { assertDecrypts, assertMigrating, decryptValue, readPlain } from './field-cipher.ts'
import { keyUsed, type OpenRecord } from './record-parts.ts'
import type { RowIdentity, UnknownRow } from './row-identity.ts'

/** Decrypts the rows of one record with keys in memory. */
export class RowReader {
  readonly #keyring: OpenRecord['keyring']
  readonly #events: OpenRecord['events']
  readonly #context: OpenRecord['context']
  readonly #identifier: OpenRecord['identifier']
  readonly #indexes: OpenRecord['indexes']
  readonly #clock: OpenRecord['clock']
  readonly #columns: OpenRecord['record']['columns']
  readonly #table: string

  constructor(open: OpenRecord) {
    this.#keyring = open.keyring
    this.#events = open.events
    this.#context = open.context
    this.#identifier = open.identifier
    this.#indexes = open.indexes
    this.#clock = open.clock
    this.#columns = open.record.columns
    this.#table = open.record.name
  }

  /** Decrypts the fields of a row and drops its index columns. @throws as `RecordCipher.decrypt` */
  decrypt(
    row: UnknownRow,
    allow: readonly AllowedState[],
    identity: RowIdentity = this.#identifier.identify(row),
  ): UnknownRow {
    const out: Record<string, unknown> = {}
    const events: StrongroomEvent[] = []
    this.#context.begin(identity.row, identity.tenant)
    try {
      for (const name of Object.keys(row)) {
        const column = this.#columns.get(name)
        if (column !== undefined) out[name] = this.#read(column, row[name], identity, allow, events)
        else if (!this.#indexes.columns.has(name)) setOwn(out, name, row[name])
      }
    } finally {
      for (const event of events) this.#events.emit(event)
    }
    return out
  }

  #read(
    column: Column,
    value: unknown,
    identity: RowIdentity,
    allow: readonly AllowedState[],
    events: StrongroomEvent[],
  ): unknown {
    if (column.state === 'plaintext') {
      if (looksEncrypted(value)) throw this.#failed(column, identity)
      return readPlain(column, value)
    }
    if (value === null && column.visibleNull) return null
    if (column.state === 'migrating' && !looksEncrypted(value))
      return this.#readMigrating(column, value, identity, events)
    const field = parseField(value)
    if (field === undefined) throw this.#failed(column, identity)
    const key = this.#keyring.findNamed(field) ?? this.resident(keyIdOf(field))
    try {
      if (!this.isKeyOf(key, identity)) throw new DecryptionError()
      assertDecrypts(key, this.#clock, allow)
      const plain = decryptValue(column, field, key, this.#context.of(column.at))
      if (this.#events.wants('key.used'))
        events.push(keyUsed(this.#table, 'decrypt', key.id, column.name, identity.row))
      return plain
    } catch (error) {
      if (error instanceof DecryptionError) this.#failed(column, identity, key.id)
      throw error
    }
  }

  #readMigrating(column: Column, value: unknown, { row = '' }: RowIdentity, events: StrongroomEvent[]): unknown {
    assertMigrating(this.#table, column, this.#clock.date())
    const plain = readPlain(column, value)
    events.push({ type: 'plaintext.read', table: this.#table, column: column.name, row })
    return plain
  }

  /** A key in memory. @throws KeyNotResidentError, ClosedError, KeyUnavailableError */
  resident(id: string): ResidentKey {
    const key = this.#keyring.find(id)
    if (key !== undefined) return key
    this.#keyring.assertOpen()
    this.#keyring.assertNotRetired(id)
    throw new KeyNotResidentError(
      `key ${id}`,
      'call `decryptMany`, or `await room.unlock([scope])` for its tenant or subject first',
    )
  }

  /** A row's values are under the key of its scope, or of its whole tenant, from before its subject had one. */
  isKeyOf({ purpose, scope }: ResidentKey, { scope: own, tenant }: RowIdentity): boolean {
    if (purpose !== 'data') return false
    return scope === own || scope === (tenant === undefined ? '' : this.#identifier.tenantScope(tenant))
  }

  #failed(column: Column, identity: RowIdentity, keyId?: string): DecryptionError {
    this.#events.emit({
      type: 'decrypt.failed',
      table: this.#table,
      column: column.name,
      ...(identity.row === undefined ? {} : { row: identity.row }),
      ...(keyId === undefined ? {} : { keyId }),
    })
    return new DecryptionError()
  }
}

/** Sets a property that may be called `__proto__` without touching the prototype. */
function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') throw new DecryptionError()
  target[name] = value
}
