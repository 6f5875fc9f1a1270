export { fileAnchor } from './anchor.ts'
export { createKeyStoreFile } from './create.ts'
export { type FileKeyStoreOptions, fileKeyStore } from './key-store.ts'
export { type FileShredLedgerOptions, fileShredLedger } from './shred-ledger.ts'
