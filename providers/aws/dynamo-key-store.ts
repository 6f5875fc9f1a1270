import { setTimeout as delay } from 'node:timers/promises'
import { assertFlag, assertMethods, assertObject, assertText } from '../../src/bytes.ts'
import { ClosedError, InvalidInputError, KeyStoreError, StrongroomError } from '../../src/errors.ts'
import type {
  CommitResult,
  KeyCommit,
  KeyLogEntry,
  KeyPurpose,
  KeyQuery,
  KeyRecord,
  KeyStore,
} from '../../src/key-store.ts'
import { checkedKeyStore } from '../../src/key-store-checks.ts'
import { connectDynamo, type DynamoClient, dynamoError } from './dynamo-client.ts'
import { commitTo } from './dynamo-commit.ts'
import { ensureTable } from './dynamo-create-table.ts'
import {
  itemKey,
  LOG,
  logSort,
  parseEntry,
  parseRecord,
  parseScope,
  RECORDS,
  SCOPES,
  scopeSort,
} from './dynamo-items.ts'
import { type DynamoCall, getItems, queryItems } from './dynamo-reads.ts'
import { type AwsConnection, clientConfig } from './kms-client.ts'

/** A table of DynamoDB that keeps key records. */
export interface DynamoKeyStoreOptions extends AwsConnection {
  /** Name of a table with partition key `pk` and sort key `sk`, both strings, and nothing else in it. */
  readonly tableName: string
  /** Make the table, billed by request and protected from deletion, when it does not exist. Default false. */
  readonly createTable?: boolean
  /** A `DynamoDB` of `@aws-sdk/client-dynamodb`. Not closed by `close()`. */
  readonly client?: DynamoClient
}

/** Puts per commit that always fit: each takes two items of a transaction of 100, and a log entry two more. */
const MAX_COMMIT = 49
const CLIENT_METHODS = ['batchGetItem', 'query', 'transactWriteItems', 'describeTable', 'createTable']
const MAX_READ = 1000
const TABLE_NAME = /^[A-Za-z0-9_.-]{3,255}$/
const ACTIVE_ROUNDS = 12
const MAX_PAUSE_MS = 1000

/**
 * Keeps key records in DynamoDB. Reads are strongly consistent; a commit is one transaction with conditions, so at
 * most 49 records at a time are certain to fit (`maxCommit`), and a commit that does not fit is refused whole.
 * A `list` with a filter other than purpose and scope reads the whole partition of records.
 *
 * @throws InvalidInputError, ConfigError
 */
export function dynamoKeyStore(options: DynamoKeyStoreOptions): KeyStore {
  assertObject(options, 'the options')
  const { tableName: table, createTable = false } = options
  assertText(table, 'tableName')
  if (!TABLE_NAME.test(table)) throw new InvalidInputError('tableName must be 3 to 255 letters, digits, or _ . -')
  assertFlag(createTable, 'createTable')
  clientConfig(options)
  if (options.client !== undefined) {
    assertMethods(options.client, CLIENT_METHODS, 'client, a DynamoDB of @aws-sdk/client-dynamodb,')
  }
  let connected: Promise<DynamoClient> | undefined
  let closed = false

  async function connect(): Promise<DynamoClient> {
    const client = options.client ?? (await connectDynamo(options))
    if (createTable) await ensureTable(client, table)
    return client
  }

  const call: DynamoCall = async (action, send) => {
    if (closed) throw new ClosedError('dynamoKeyStore')
    try {
      connected ??= connect()
      const client = await connected.catch((error) => {
        connected = undefined
        throw error
      })
      return await send(client)
    } catch (error) {
      throw error instanceof StrongroomError ? error : dynamoError(table, action, error)
    }
  }

  async function get(ids: readonly string[]): Promise<KeyRecord[]> {
    const keys = ids.filter((id) => id !== '').map((id) => itemKey(RECORDS, id))
    return (await getItems(call, table, keys)).map(parseRecord)
  }

  /** Every key of one purpose and scope, in order of id: one item names them. */
  async function inScope(purpose: KeyPurpose, scope: string): Promise<KeyRecord[]> {
    const [item] = await getItems(call, table, [itemKey(SCOPES, scopeSort(purpose, scope))])
    const { ids } = parseScope(item ?? {})
    const found: KeyRecord[] = []
    for (let at = 0; at < ids.length; at += MAX_READ) found.push(...(await get(ids.slice(at, at + MAX_READ))))
    return found.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  return checkedKeyStore<KeyStore>({
    name: `dynamodb ${table}`,
    maxCommit: MAX_COMMIT,
    get,

    async findActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<KeyRecord[]> {
      const found: KeyRecord[] = []
      let sorts = scopes.map((scope) => scopeSort(purpose, scope))
      // Scope and record are read one after the other: what a commit changed in between is read again.
      for (let round = 0; sorts.length > 0; round++) {
        if (round === ACTIVE_ROUNDS) {
          throw new KeyStoreError('conflict', `dynamodb table ${table}: others kept changing the same keys`)
        }
        // The others are given time to finish: a different one for each reader, so that they do not all come back at once.
        if (round > 0) await delay(Math.random() * Math.min(5 * 2 ** round, MAX_PAUSE_MS))
        const items = await getItems(
          call,
          table,
          sorts.map((sort) => itemKey(SCOPES, sort)),
        )
        const named = items.flatMap((item) => {
          const { active } = parseScope(item)
          return active === undefined ? [] : [{ sort: item.sk?.S as string, active }]
        })
        const records = await get(named.map(({ active }) => active))
        const active = new Map(records.filter(({ state }) => state === 'active').map((record) => [record.id, record]))
        found.push(...active.values())
        sorts = named.filter((scope) => !active.has(scope.active)).map(({ sort }) => sort)
      }
      return found
    },

    async list(query: KeyQuery): Promise<KeyRecord[]> {
      const { purpose, state, scope, parent, scopePrefix, after = '', limit } = query
      if (purpose !== undefined && scope !== undefined) {
        const records = await inScope(purpose, scope)
        return records.filter((record) => record.id > after && matches(record, query)).slice(0, limit)
      }
      const filter = Object.entries({ purpose, state, scope, parent }).filter(([, value]) => value !== undefined)
      // A sort key is never empty, and every id sorts behind a blank.
      const items = await queryItems(
        call,
        table,
        RECORDS,
        after === '' ? ' ' : after,
        limit,
        Object.fromEntries(filter) as Record<string, string>,
        scopePrefix,
      )
      return items.map(parseRecord)
    },

    async commit(commit: KeyCommit): Promise<CommitResult> {
      return commitTo(call, table, commit)
    },

    async log(after: number, limit: number): Promise<KeyLogEntry[]> {
      return (await queryItems(call, table, LOG, logSort(after), limit)).map(parseEntry)
    },

    async close(): Promise<void> {
      closed = true
      if (options.client === undefined) await connected?.then((own) => own.destroy?.()).catch(() => undefined)
    },
  })
}

function matches(record: KeyRecord, { state, parent, scopePrefix = '' }: KeyQuery): boolean {
  return (
    (state === undefined || record.state === state) &&
    (parent === undefined || record.parent === parent) &&
    record.scope.startsWith(scopePrefix)
  )
}
