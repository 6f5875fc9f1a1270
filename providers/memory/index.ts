export { type MemoryKeyStore, memoryKeyStore } from './key-store.ts'
export { type MemoryKms, type MemoryKmsOptions, memoryKms } from './kms.ts'
export { memoryShredLedger } from './shred-ledger.ts'
