/** Keys you hold yourself, laid out as the raw keyrings of the AWS Encryption SDK. Import from `strongroom/raw`. */
export { type RawAesOptions, rawAes } from './aes.ts'
export type { RawRsaHash } from './layout.ts'
export { type RawRsaOptions, type RsaKeyInput, rawRsa } from './rsa.ts'
