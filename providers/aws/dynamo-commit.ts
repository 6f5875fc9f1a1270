import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { InvalidInputError, KeyStoreError } from '../../src/errors.ts'
import type { CommitResult, KeyCommit, KeyRecord } from '../../src/key-store.ts'
import type { TransactItem } from './dynamo-client.ts'
import {
  itemKey,
  LOG,
  logItem,
  logSort,
  parseRecord,
  parseScope,
  RECORDS,
  recordItem,
  SCOPES,
  type ScopeItem,
  scopeItem,
  scopeSort,
} from './dynamo-items.ts'
import { type DynamoCall, getItems } from './dynamo-reads.ts'

/** What one TransactWriteItems takes. Amazon DynamoDB API reference. */
const MAX_TRANSACTION = 100
const ROUNDS = 20
const MAX_WAIT_MS = 500

/**
 * Writes a commit as one transaction that insists on everything that was read being unchanged. When it was changed in between,
 * it is read again, and then either nothing is in the way or the conflict can be named.
 */
export async function commitTo(call: DynamoCall, table: string, commit: KeyCommit): Promise<CommitResult> {
  for (let round = 0; round < ROUNDS; round++) {
    if (round > 0) await delay(Math.random() * Math.min(MAX_WAIT_MS, 10 * 2 ** round))
    const before = await read(call, table, commit)
    const plan = planOf(commit, before)
    if (typeof plan === 'string') return { written: false, conflict: plan }
    const items = transactionOf(table, commit, before, plan)
    if (items.length > MAX_TRANSACTION) {
      throw new InvalidInputError(
        `a commit of ${commit.puts.length} records needs ${items.length} items, and DynamoDB writes ${MAX_TRANSACTION} at once: commit fewer records at a time`,
      )
    }
    if (items.length === 0 || (await write(call, items))) return { written: true }
  }
  throw new KeyStoreError('conflict', `dynamodb table ${table}: others kept changing the same keys`)
}

interface Before {
  readonly records: ReadonlyMap<string, KeyRecord>
  readonly scopes: ReadonlyMap<string, ScopeItem>
  readonly log: ReadonlySet<string>
}

async function read(call: DynamoCall, table: string, commit: KeyCommit): Promise<Before> {
  const ids = commit.puts.map(({ record }) => record.id)
  const sorts = [...new Set(commit.puts.map(({ record }) => scopeSort(record.purpose, record.scope)))]
  const seq = commit.log?.seq
  const seqs = seq === undefined ? [] : [seq - 1, seq].filter((number) => number > 0).map(logSort)
  const items = await getItems(call, table, [
    ...ids.map((id) => itemKey(RECORDS, id)),
    ...sorts.map((sort) => itemKey(SCOPES, sort)),
    ...seqs.map((sort) => itemKey(LOG, sort)),
  ])
  const of = (partition: string) => items.filter((item) => item.pk?.S === partition)
  return {
    records: new Map(of(RECORDS).map((item) => [item.sk?.S ?? '', parseRecord(item)])),
    scopes: new Map(of(SCOPES).map((item) => [item.sk?.S ?? '', parseScope(item)])),
    log: new Set(of(LOG).map((item) => item.sk?.S ?? '')),
  }
}

type Conflict = Exclude<CommitResult, { written: true }>['conflict']

/** What the touched scopes hold afterwards, or what is in the way. */
function planOf({ puts, log }: KeyCommit, before: Before): Map<string, ScopeItem> | Conflict {
  if (log !== null) {
    const follows = log.seq === 1 || before.log.has(logSort(log.seq - 1))
    if (!follows || before.log.has(logSort(log.seq))) return 'log'
  }
  if (puts.some(({ record, replaces }) => (before.records.get(record.id)?.rev ?? null) !== replaces)) return 'revision'

  const scopes = new Map<string, ScopeItem>()
  const changed = new Set<string>()
  const scopeOf = (sort: string): ScopeItem =>
    scopes.get(sort) ?? before.scopes.get(sort) ?? { version: 0, active: undefined, generations: [], ids: [] }
  const change = (sort: string, changes: Partial<Omit<ScopeItem, 'version'>>) => {
    scopes.set(sort, { ...scopeOf(sort), ...changes })
    changed.add(sort)
  }
  for (const { record } of puts) {
    const sort = scopeSort(record.purpose, record.scope)
    if (scopeOf(sort).active === record.id && record.state !== 'active') change(sort, { active: undefined })
  }
  for (const { record } of puts) {
    const sort = scopeSort(record.purpose, record.scope)
    const { active } = scopeOf(sort)
    if (record.state !== 'active' || active === record.id) continue
    if (active !== undefined) return 'active'
    change(sort, { active: record.id })
  }
  for (const { record, replaces } of puts) {
    if (replaces !== null) continue
    const sort = scopeSort(record.purpose, record.scope)
    const { generations, ids } = scopeOf(sort)
    if (generations.includes(record.generation)) return 'generation'
    change(sort, { generations: [...generations, record.generation], ids: [...ids, record.id] })
  }
  return scopes
}

function transactionOf(
  TableName: string,
  { puts, log }: KeyCommit,
  before: Before,
  scopes: ReadonlyMap<string, ScopeItem>,
): TransactItem[] {
  const items: TransactItem[] = puts.map(({ record, replaces }) => ({
    Put: { TableName, Item: recordItem(record), ...unchanged('rev', replaces) },
  }))
  for (const [sort, scope] of scopes) {
    const version = before.scopes.get(sort)?.version ?? null
    const Item = scopeItem(sort, { ...scope, version: (version ?? 0) + 1 })
    items.push({ Put: { TableName, Item, ...unchanged('version', version) } })
  }
  if (log === null) return items
  items.push({ Put: { TableName, Item: logItem(log), ...unchanged('pk', null) } })
  if (log.seq > 1) {
    const Key = itemKey(LOG, logSort(log.seq - 1))
    items.push({ ConditionCheck: { TableName, Key, ConditionExpression: 'attribute_exists(pk)' } })
  }
  return items
}

function unchanged(attribute: 'rev' | 'version' | 'pk', value: number | null) {
  if (value === null) return { ConditionExpression: 'attribute_not_exists(pk)' }
  return {
    ConditionExpression: `${attribute} = :before`,
    ExpressionAttributeValues: { ':before': { N: String(value) } },
  }
}

/** @returns false when something that was read has changed, and then nothing was written */
async function write(call: DynamoCall, TransactItems: TransactItem[]): Promise<boolean> {
  const ClientRequestToken = randomUUID()
  return call('dynamodb:TransactWriteItems', async (client) => {
    try {
      await client.transactWriteItems({ TransactItems, ClientRequestToken })
      return true
    } catch (error) {
      if (isRace(error)) return false
      throw error
    }
  })
}

const RACES = new Set([
  'ConditionalCheckFailed',
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
])

function isRace(error: unknown): boolean {
  const { name, CancellationReasons = [] } = (error ?? {}) as {
    name?: string
    CancellationReasons?: readonly { Code?: string }[]
  }
  if (name !== 'TransactionCanceledException') return false
  const codes = CancellationReasons.map(({ Code }) => Code).filter((code) => code !== undefined && code !== 'None')
  return codes.length > 0 && codes.every((code) => RACES.has(code as string))
}
