/** AWS KMS for keys and DynamoDB for key records. Import from `strongroom/aws`. */

export type { AttributeValue, DynamoClient, Item, TransactItem } from './dynamo-client.ts'
export { type DynamoKeyStoreOptions, dynamoKeyStore } from './dynamo-key-store.ts'
export { type AwsKmsOptions, awsKms } from './kms.ts'
export type { AwsCallOptions, AwsConnection, AwsCredentials, AwsKmsClient } from './kms-client.ts'
