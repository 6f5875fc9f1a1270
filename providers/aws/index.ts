/** AWS KMS for keys and DynamoDB for key records. Import from `strongroom/aws`. */
export { type AwsKmsOptions, awsKms } from './kms.ts'
export type { AwsCallOptions, AwsConnection, AwsCredentials, AwsKmsClient } from './kms-client.ts'
