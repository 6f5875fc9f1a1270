import { KeyStoreError, type KeyStoreFault } from '../../src/errors.ts'
import { importPeer } from '../../src/optional-peer.ts'
import { type AwsConnection, clientConfig } from './kms-client.ts'
import { networkFault } from './network.ts'

/** A value of an item as it goes over the wire. */
export interface AttributeValue {
  readonly S?: string | undefined
  readonly N?: string | undefined
  readonly NS?: string[] | undefined
  readonly SS?: string[] | undefined
}

export type Item = Record<string, AttributeValue>

/** One step of a transaction. */
export interface TransactItem {
  readonly Put?: {
    readonly TableName: string
    readonly Item: Record<string, { S: string } | { N: string } | { NS: string[] } | { SS: string[] }>
    readonly ConditionExpression: string
    readonly ExpressionAttributeValues?: Record<string, { N: string }>
  }
  readonly ConditionCheck?: {
    readonly TableName: string
    readonly Key: Record<string, { S: string }>
    readonly ConditionExpression: string
  }
}

/** The part of `DynamoDB` from `@aws-sdk/client-dynamodb` that is used. */
export interface DynamoClient {
  batchGetItem(input: {
    RequestItems: Record<string, { Keys: Record<string, { S: string }>[]; ConsistentRead: true }>
  }): Promise<{
    Responses?: Record<string, Item[]> | undefined
    UnprocessedKeys?: Record<string, { Keys: Item[] | undefined }> | undefined
  }>
  query(input: {
    TableName: string
    ConsistentRead: true
    KeyConditionExpression: string
    FilterExpression?: string
    ExpressionAttributeNames?: Record<string, string>
    ExpressionAttributeValues: Record<string, { S: string }>
    ExclusiveStartKey?: Record<string, { S: string }>
    Limit: number
  }): Promise<{ Items?: Item[] | undefined; LastEvaluatedKey?: Item | undefined }>
  transactWriteItems(input: { TransactItems: TransactItem[]; ClientRequestToken: string }): Promise<unknown>
  describeTable(input: { TableName: string }): Promise<{ Table?: { TableStatus?: string | undefined } | undefined }>
  createTable(input: {
    TableName: string
    BillingMode: 'PAY_PER_REQUEST'
    DeletionProtectionEnabled: boolean
    AttributeDefinitions: { AttributeName: string; AttributeType: 'S' }[]
    KeySchema: { AttributeName: string; KeyType: 'HASH' | 'RANGE' }[]
  }): Promise<unknown>
  destroy?(): void
}

/** Makes the SDK's client, which retries by itself; a transaction carries a token that makes its retries one. @throws ConfigError */
export async function connectDynamo(connection: AwsConnection): Promise<DynamoClient> {
  const load = () => import('@aws-sdk/client-dynamodb')
  const { DynamoDB } = await importPeer('@aws-sdk/client-dynamodb', 'dynamoKeyStore', load)
  // The SDK's methods take mutable arrays where these are read-only; what is sent is the same.
  return new DynamoDB({ ...clientConfig(connection), maxAttempts: 5 }) as unknown as DynamoClient
}

/** DynamoDB developer guide: Error handling; CommonErrors. */
const EXCEPTIONS: Readonly<Record<string, readonly [KeyStoreFault, string]>> = {
  ResourceNotFoundException: ['misconfigured', 'the table does not exist in this region'],
  AccessDeniedException: ['misconfigured', 'the credentials do not allow this'],
  UnrecognizedClientException: ['misconfigured', 'the credentials are not valid'],
  ExpiredTokenException: ['misconfigured', 'the session token is expired'],
  CredentialsProviderError: ['misconfigured', 'no credentials were found'],
  ValidationException: ['misconfigured', 'the request is not valid: check the keys of the table'],
  ProvisionedThroughputExceededException: ['unavailable', 'the throughput of the table is used up'],
  RequestLimitExceeded: ['unavailable', 'requests are throttled'],
  ThrottlingException: ['unavailable', 'requests are throttled'],
  TransactionInProgressException: ['unavailable', 'the same transaction is still being written'],
  InternalServerError: ['unavailable', 'DynamoDB failed inside'],
}

/** The error for whatever the SDK threw. */
export function dynamoError(table: string, action: string, error: unknown): KeyStoreError {
  const { name = '', $metadata } = (error ?? {}) as { name?: string; $metadata?: { httpStatusCode?: number } }
  const status = $metadata?.httpStatusCode ?? 0
  const network = networkFault(error)
  const [fault, message] =
    (Object.hasOwn(EXCEPTIONS, name) ? EXCEPTIONS[name] : undefined) ??
    (network && ([network.kind, network.message] as const)) ??
    (status >= 500 ? (['unavailable', `answered ${status}`] as const) : (['misconfigured', 'failed'] as const))
  return new KeyStoreError(fault, `dynamodb table ${table}: ${message} (${action})`, { cause: error })
}
