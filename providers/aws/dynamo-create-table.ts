import { setTimeout as delay } from 'node:timers/promises'
import { KeyStoreError } from '../../src/errors.ts'
import { type DynamoClient, dynamoError } from './dynamo-client.ts'

/** Makes the table of a key store when it does not exist, and waits until it can be used. @throws KeyStoreError */
export async function ensureTable(client: DynamoClient, table: string): Promise<void> {
  for (let round = 0; round < 60; round++) {
    try {
      const { Table } = await client.describeTable({ TableName: table })
      if (Table?.TableStatus === 'ACTIVE' || Table?.TableStatus === 'UPDATING') return
    } catch (error) {
      if ((error as Error).name !== 'ResourceNotFoundException')
        throw dynamoError(table, 'dynamodb:DescribeTable', error)
      await create(client, table)
    }
    await delay(Math.min(1000, 20 * 2 ** round))
  }
  throw new KeyStoreError('unavailable', `dynamodb table ${table} is not active yet`)
}

async function create(client: DynamoClient, TableName: string): Promise<void> {
  try {
    await client.createTable({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      DeletionProtectionEnabled: true,
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    })
  } catch (error) {
    // Another process was faster.
    if ((error as Error).name !== 'ResourceInUseException') throw dynamoError(TableName, 'dynamodb:CreateTable', error)
  }
}
