import { setTimeout as delay } from 'node:timers/promises'
import { KeyStoreError } from '../../src/errors.ts'
import type { DynamoClient, Item } from './dynamo-client.ts'
import { type ItemKey, itemKey } from './dynamo-items.ts'

const BATCH_KEYS = 100
const UNPROCESSED_ROUNDS = 10

/** Runs one call against the table; failures come out as KeyStoreError. */
export type DynamoCall = <T>(action: string, send: (client: DynamoClient) => Promise<T>) => Promise<T>

/** The items with these keys that exist, strongly consistent, in any order. */
export async function getItems(call: DynamoCall, table: string, keys: readonly ItemKey[]): Promise<Item[]> {
  const batches: Promise<Item[]>[] = []
  for (let at = 0; at < keys.length; at += BATCH_KEYS)
    batches.push(getBatch(call, table, keys.slice(at, at + BATCH_KEYS)))
  return (await Promise.all(batches)).flat()
}

async function getBatch(call: DynamoCall, table: string, keys: readonly ItemKey[]): Promise<Item[]> {
  const items: Item[] = []
  let left = [...keys]
  for (let round = 0; left.length > 0; round++) {
    if (round === UNPROCESSED_ROUNDS) {
      throw new KeyStoreError('unavailable', `dynamodb table ${table}: the throughput of the table is used up`)
    }
    if (round > 0) await delay(Math.random() * 25 * 2 ** round)
    const { Responses, UnprocessedKeys } = await call('dynamodb:BatchGetItem', (client) =>
      client.batchGetItem({ RequestItems: { [table]: { Keys: left, ConsistentRead: true } } }),
    )
    items.push(...(Responses?.[table] ?? []))
    left = (UnprocessedKeys?.[table]?.Keys ?? []).map(keyOf)
  }
  return items
}

/**
 * Items of one partition behind `after`, in order, at most `limit`, strongly consistent.
 *
 * @param filter attributes that must be equal
 * @param scopePrefix start of the attribute `scope`
 */
export async function queryItems(
  call: DynamoCall,
  table: string,
  partition: string,
  after: string,
  limit: number,
  filter: Readonly<Record<string, string>> = {},
  scopePrefix = '',
): Promise<Item[]> {
  const names = Object.keys(filter)
  const conditions = names.map((name) => `#${name} = :${name}`)
  if (scopePrefix !== '') conditions.push('begins_with(#scope, :prefix)')
  const attributes = scopePrefix !== '' ? [...new Set([...names, 'scope'])] : names
  const values: Record<string, { S: string }> = { ':pk': { S: partition }, ':after': { S: after } }
  for (const name of names) values[`:${name}`] = { S: filter[name] as string }
  if (scopePrefix !== '') values[':prefix'] = { S: scopePrefix }

  const items: Item[] = []
  let start: ItemKey | undefined
  do {
    const { Items, LastEvaluatedKey } = await call('dynamodb:Query', (client) =>
      client.query({
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk AND sk > :after',
        ExpressionAttributeValues: values,
        // The limit counts items before the filter: a filtered page is read whole, and cut below.
        Limit: conditions.length === 0 ? limit - items.length : FILTERED_PAGE,
        ...(conditions.length > 0 && {
          FilterExpression: conditions.join(' AND '),
          ExpressionAttributeNames: Object.fromEntries(attributes.map((name) => [`#${name}`, name])),
        }),
        ...(start && { ExclusiveStartKey: start }),
      }),
    )
    items.push(...(Items ?? []))
    start = LastEvaluatedKey === undefined ? undefined : keyOf(LastEvaluatedKey)
  } while (start !== undefined && items.length < limit)
  return items.slice(0, limit)
}

const FILTERED_PAGE = 1000

function keyOf(item: Item): ItemKey {
  return itemKey(item.pk?.S ?? '', item.sk?.S ?? '')
}
