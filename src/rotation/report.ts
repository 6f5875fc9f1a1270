import { assertMethods } from '../bytes.ts'
import type { JobKind, JobState } from '../job.ts'
import type { KeyPurpose, KeyState, KeyStore } from '../key-store.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { Proved } from '../keys/report-proof.ts'
import type { AnyRecord } from '../records/record-types.ts'
import type { Table } from '../table.ts'
import { type Census, census } from './census.ts'
import { assertParts } from './parts.ts'

/** What a rotation report needs of a configuration. */
export interface ReportParts {
  readonly name: string
  readonly store: KeyStore
  readonly records?: Readonly<Record<string, AnyRecord>>
  readonly tables?: Readonly<Record<string, Table | undefined>>
}

/** How far a rotation is, on one day: what was counted, and when. */
export interface RotationReport {
  readonly kind: 'rotation'
  readonly format: 1
  readonly store: string
  /** When the counting began and ended, ISO 8601. */
  readonly at: string
  readonly until: string
  readonly keys: readonly { readonly purpose: KeyPurpose; readonly state: KeyState; readonly keys: number }[]
  readonly tables: readonly Census[]
  /** Records without a table, whose rows were not counted. */
  readonly uncounted: readonly string[]
  readonly jobs: readonly {
    readonly id: string
    readonly kind: JobKind
    readonly record: string
    readonly state: JobState
  }[]
  /** Whether every record was counted, every counted value is under an active key, and no job is unfinished. */
  readonly complete: boolean
}

const PAGE = 1000
const STALE_MS = 60_000

/**
 * Counts every key and every row of the configured tables, now, and proves the counts with a key of the Strongroom: for
 * the files, and for whoever audits them. Changes nothing but that it may make the key that proves reports.
 *
 * @throws KeyRecordError, KeyStoreError, KmsError, TableError (`ERR_TABLE`)
 */
export async function rotationReport(parts: ReportParts, keys: KeyManager): Promise<Proved<RotationReport>> {
  assertParts(parts)
  assertMethods(keys, ['list', 'proveReport'], 'keys')
  const { name, store, records = {}, tables = {} } = parts
  const at = new Date()
  const counted: Census[] = []
  const jobs = new Map<string, RotationReport['jobs'][number]>()
  for (const [record, table] of Object.entries(tables)) {
    const schema = records[record]
    if (table === undefined || schema === undefined) continue
    counted.push(await census(schema, table, { app: name, store }))
    for (const { id, kind, record: of, state } of await table.jobs.list({ limit: PAGE, staleMs: STALE_MS })) {
      if (state !== 'done') jobs.set(id, { id, kind, record: of, state })
    }
  }
  const uncounted = Object.keys(records).filter((record) => tables[record] === undefined)
  const complete = uncounted.length === 0 && jobs.size === 0 && counted.every(({ outdated }) => outdated === 0)
  return keys.proveReport({
    kind: 'rotation',
    format: 1,
    store: name,
    at: at.toISOString(),
    until: new Date().toISOString(),
    keys: await countKeys(keys),
    tables: counted,
    uncounted,
    jobs: [...jobs.values()],
    complete,
  })
}

async function countKeys(keys: KeyManager): Promise<RotationReport['keys']> {
  const counts = new Map<string, RotationReport['keys'][number]>()
  for (let after: string | undefined; ; ) {
    const page = await keys.list({ limit: PAGE, ...(after === undefined ? {} : { after }) })
    for (const { purpose, state } of page) {
      const slot = `${purpose} ${state}`
      counts.set(slot, { purpose, state, keys: 1 + (counts.get(slot)?.keys ?? 0) })
    }
    after = page.at(-1)?.id
    if (page.length < PAGE) return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count)
  }
}
