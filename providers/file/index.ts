export { fileAnchor } from './anchor.ts'
export { createKeyStoreFile } from './create.ts'
export { type FileKeyStoreOptions, fileKeyStore } from './key-store.ts'
