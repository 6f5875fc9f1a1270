import { assertCallback, assertFilled, assertOptions, describe } from './bytes.ts'
import { ConfigError, InvalidInputError } from './errors.ts'
import type { StrongroomEvent } from './events.ts'
import type { JobQueue } from './job-queue.ts'
import type { KeyLogAnchor, KeyStore, ShredLedger } from './key-store.ts'
import { assertKeyring } from './keys/keyring-bounds.ts'
import { assertGroupOptions, type KmsGroupOptions } from './keys/kms-group.ts'
import type { KmsProvider } from './kms.ts'
import { type ReuseLimits, reuseLimits } from './messages/data-key-cache.ts'
import type { Migration } from './migration/define-migration.ts'
import type { PasswordHasher } from './passwords/password-hasher.ts'
import type { PepperMode } from './passwords/pepper.ts'
import type { AnyRecord } from './records/record-types.ts'
import { assertRecord } from './records/schema.ts'
import { assertBackups, assertDays } from './rotation/days.ts'
import type { BackupPolicy } from './rotation/retire-checks.ts'
import type { Table } from './table.ts'
import { JOB_METHODS, TABLE_METHODS } from './table-shape.ts'

/** How keys are kept in memory. */
export interface KeyringConfig {
  /** ms that keys may be used after the KMS last opened the root key; renewed ahead of time. 300,000 by default. */
  readonly ttl?: number
  /** ms beyond that while the KMS or the key store cannot be reached. 0 by default: keys stop working with the KMS. */
  readonly grace?: number
  /** ms between looks at what other processes changed. 30,000 by default. */
  readonly refreshInterval?: number
  /** Keys in memory at most, besides root keys. 10,000 by default, about 3 KiB each. */
  readonly maxKeys?: number
}

/** Everything a Strongroom is made of. */
export interface StrongroomConfig<
  Records extends Readonly<Record<string, AnyRecord>> = Readonly<Record<string, AnyRecord>>,
> {
  /** Part of every context: two applications never read each other's data. Never change it. 1 to 64 of `A-Z a-z 0-9 _ . -` */
  readonly name: string
  /** One key management service, or several: every root key is wrapped under all of them, and any one opens it. */
  readonly kms: KmsProvider | readonly KmsProvider[]
  /** Where the records of keys and the key log are kept. Nothing in them is secret. */
  readonly store: KeyStore
  /** Keeps the end of the key log elsewhere, so that an old copy of the whole store is noticed. See the threat model. */
  readonly anchor?: KeyLogAnchor
  /** Names the keys that were shredded, apart from the key store: a backup that brings one back is refused. */
  readonly shredLedger?: ShredLedger
  /** The tables with encrypted columns, each by `defineRecord`; `room.records` has a cipher for each under the same name. */
  readonly records?: Records
  /** How the command line reaches the rows of records, by their names in `records`. Not opened before it is used. */
  readonly tables?: { readonly [Name in keyof Records]?: Table }
  /** How tables that hold plaintext, or what another library wrote, come to hold their records: by `defineMigration`. */
  readonly migrations?: { readonly [Name in keyof Records]?: Migration }
  /** Carries the ranges of a table to `strongroom worker` on other machines. Not opened before it is used. */
  readonly queue?: JobQueue
  /** Checks passwords; hashes are encrypted under a pepper key and bound to their user. */
  readonly passwords?: PasswordHasher
  /** How the pepper is applied, see the password guide; `on` by default. */
  readonly pepper?: PepperMode
  /** For how long keys stay in memory, and how many. */
  readonly keyring?: KeyringConfig
  /** Retries, timeouts and several services at once. */
  readonly resilience?: Omit<KmsGroupOptions, 'providers' | 'events' | 'clock'>
  /** How far sealed messages share a data key; `false` for one data key, and one call to each service, per message. */
  readonly messages?: Partial<ReuseLimits> | false
  /** How long backups are kept. Without it nobody can say when a retired key may be destroyed. */
  readonly backups?: BackupPolicy
  /** Days that a retired key waits, out of use, before it may be destroyed; 7 by default, 0 to 3,650. */
  readonly quarantineDays?: number
  /** Hears every event from the first one on. */
  readonly onEvent?: (event: StrongroomEvent) => void
}

const NAME = /^[A-Za-z0-9_.-]{1,64}$/

/**
 * Declares a Strongroom: the one configuration that the application and the `strongroom` command share.
 *
 * @throws ConfigError when it cannot work, saying what to change; InvalidInputError for what is of another type
 */
export function defineStrongroom<const Records extends Readonly<Record<string, AnyRecord>> = Record<never, never>>(
  config: StrongroomConfig<Records>,
): StrongroomConfig<Records> {
  if (typeof config !== 'object' || config === null) {
    throw new InvalidInputError(`the configuration must be an object, received ${describe(config)}`)
  }
  const { name, kms, store, records = {} } = config
  assertParts(config)
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new ConfigError('name must be 1 to 64 of A-Z a-z 0-9 _ . -: it becomes part of everything that is encrypted')
  }
  for (const provider of Array.isArray(kms) ? kms : [kms]) {
    assertHas(provider, ['wrap', 'unwrap', 'accepts'], 'kms')
    if (provider.close !== undefined) assertHas(provider, ['close'], 'kms')
  }
  const services = [kms].flat()
  if (services.length > 0 && services.every((provider) => provider.recovery !== undefined)) {
    throw new ConfigError('kms must have a service beside the recovery key, which is in no machine and opens nothing')
  }
  assertGroupOptions({ ...config.resilience, providers: services })
  for (const { name: called } of services) assertFilled(called, 'the name of a provider of kms')
  assertHas(store, ['get', 'findActive', 'list', 'commit', 'log'], 'store')
  assertFilled(store.name, 'the name of store')
  if (config.anchor !== undefined) assertHas(config.anchor, ['read', 'write'], 'anchor')
  if (config.shredLedger !== undefined) assertHas(config.shredLedger, ['read', 'append'], 'shredLedger')
  if (config.shredLedger !== undefined) assertFilled(config.shredLedger.name, 'the name of shredLedger')
  if (config.queue !== undefined) {
    assertHas(config.queue, ['send', 'work'], 'queue')
    assertFilled(config.queue.name, 'the name of queue')
  }
  const tables = Object.values<AnyRecord>(records).map((record) => record.name)
  const twice = tables.find((table, at) => tables.indexOf(table) !== at)
  if (twice !== undefined) throw new ConfigError(`two records are called ${twice}: their data could be swapped`)
  assertTables(config.tables ?? {}, records)
  assertMigrations(config.migrations ?? {}, records)
  assertKeyring(config.keyring ?? {})
  assertBackups(config.backups)
  assertDays('quarantineDays', config.quarantineDays)
  return config
}

/** The parts that are looked at much later, or not by name. */
function assertParts(config: StrongroomConfig): void {
  const { records = {}, passwords, pepper, resilience, messages, onEvent } = config
  const bags = { records, tables: config.tables, migrations: config.migrations, keyring: config.keyring }
  for (const [name, bag] of Object.entries({ ...bags, backups: config.backups, resilience })) assertOptions(bag, name)
  for (const record of Object.values<AnyRecord>(records)) assertRecord(record)
  const hasher = ['hash', 'verify', 'needsRehash', 'wrapLegacy', 'inspect']
  if (passwords !== undefined) assertHas(passwords, hasher, 'passwords')
  if (pepper !== undefined && !['on', 'only', 'retire'].includes(pepper)) {
    throw new ConfigError('pepper must be on, only or retire')
  }
  if (messages !== false) assertOptions(messages, 'messages')
  if (messages) reuseLimits(messages)
  assertCallback(onEvent, 'onEvent')
}

function assertHas(value: unknown, methods: readonly string[], what: string): void {
  const bag = value as Record<string, unknown> | null | undefined
  const missing = methods.find((method) => typeof bag?.[method] !== 'function')
  if (missing !== undefined) {
    throw new ConfigError(
      `${what} must be made by a provider of strongroom or have its methods: ${missing}() is missing`,
    )
  }
}

function assertTables(declared: object, records: object): void {
  for (const [name, table] of Object.entries(declared)) {
    if (!Object.hasOwn(records, name)) throw new ConfigError(`tables.${name} has no record of that name in records`)
    assertHas(table, TABLE_METHODS, `tables.${name}`)
    assertHas((table as Table).jobs, JOB_METHODS, `jobs of tables.${name}`)
  }
}

function assertMigrations(declared: Readonly<Record<string, Migration | undefined>>, records: object): void {
  for (const [name, migration] of Object.entries(declared)) {
    const record: unknown = Object.hasOwn(records, name) ? (records as Record<string, unknown>)[name] : undefined
    if (record === undefined) throw new ConfigError(`migrations.${name} has no record of that name in records`)
    if (migration?.record !== record) {
      throw new ConfigError(`migrations.${name} must be made by defineMigration for the record ${name} of records`)
    }
  }
}
