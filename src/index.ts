export type { EncryptionContext } from './crypto/context.ts'
export {
  ClosedError,
  ConfigError,
  DecryptionError,
  InvalidInputError,
  KeyFileError,
  type KeyFileFault,
  KeyNotFoundError,
  KeyNotResidentError,
  KeyRecordError,
  type KeyRecordFault,
  KeyStateError,
  KeyStoreError,
  type KeyStoreFault,
  KeyUnavailableError,
  KmsError,
  type KmsErrorKind,
  MigrationExpiredError,
  OverloadedError,
  StrongroomError,
  SystemicFailureError,
} from './errors.ts'
export type { EventOf, EventType, StrongroomEvent } from './events.ts'
export type {
  CommitResult,
  KeyCommit,
  KeyLogChange,
  KeyLogEntry,
  KeyPurpose,
  KeyPut,
  KeyQuery,
  KeyRecord,
  KeyState,
  KeyStore,
  KeyWrap,
} from './key-store.ts'
export type { KmsCall, KmsProvider, RecipientLayout, WrappedKey } from './kms.ts'
