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
export type { BlindIndex } from './index/blind-index.ts'
export { bucket } from './index/bucket-transforms.ts'
export { type NamedIndexPlan, type PlannedIndex, planField, planIndexes } from './index/budget.ts'
export { explainIndexPlan } from './index/explain.ts'
export type { FieldType } from './index/field-type.ts'
export { type IndexPlan, type PlanInput, planIndex } from './index/planner.ts'
export { prefix } from './index/text-transforms.ts'
export type { IndexTransform, OwnTransform, TransformName } from './index/transform.ts'
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
export type { ReuseLimits } from './messages/data-key-cache.ts'
export { inspectMessage, type MessageSummary } from './messages/inspect.ts'
export { type OpenedMessage, openMessage, sealMessage } from './messages/message.ts'
export { createMessages, type Messages, type MessagesOptions } from './messages/messages.ts'
export { openNodeStream, sealNodeStream } from './messages/node-stream.ts'
export type { MessageInfo, OpenOptions } from './messages/open.ts'
export { openRange, type RangeSource } from './messages/range.ts'
export type { Recipient } from './messages/recipients.ts'
export type { SealOptions } from './messages/seal.ts'
export {
  type OpenStreamOptions,
  openStream,
  type Progress,
  type SealStreamOptions,
  type StreamEvents,
  sealStream,
} from './messages/stream.ts'
export type { MessageSuite } from './messages/suites.ts'
