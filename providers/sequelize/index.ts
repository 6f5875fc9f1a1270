export { type AttributeOptions, encryptedAttributes } from './columns.ts'
export { EncryptedModel, encryptedModel } from './encrypted-model.ts'
export type { EncryptedFields, EncryptedInstance, RowChanges, RowKey } from './row-types.ts'
