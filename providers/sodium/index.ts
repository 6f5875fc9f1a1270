export { type CreateKeyFileOptions, createKeyFile } from './create-key-file.ts'
export type { Argon2Cost } from './passphrase-lock.ts'
export { createSealedBoxKeys, type SealedBoxKeys, type SealedBoxKmsOptions, sealedBoxKms } from './sealed-box-kms.ts'
export { type SodiumKmsOptions, sodiumKms } from './sodium-kms.ts'
