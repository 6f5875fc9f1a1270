/** Google Cloud KMS. Import from `strongroom/gcp`. */
export type {
  GcpCallOptions,
  GcpDecryptAnswer,
  GcpDecryptRequest,
  GcpEncryptAnswer,
  GcpEncryptRequest,
  GcpKmsClient,
  Int64Value,
} from './client.ts'
export { type GcpKmsOptions, gcpKms } from './kms.ts'
export type { AccessToken } from './rest-client.ts'
