export { type ColumnOptions, entityColumns } from './columns.ts'
export {
  EncryptedEntity,
  type EntityChanges,
  type EntityKey,
  encryptedEntity,
} from './encrypted-entity.ts'
