export type { Encrypted, EncryptedTable } from './encrypted-table.ts'
export { type StrongroomPluginOptions, strongroomPlugin } from './plugin.ts'
export { decryptRows, type RowChanges, updateEach } from './rows.ts'
export { matching } from './search.ts'
