export { defineStrongroom, type KeyringConfig, type StrongroomConfig } from './config.ts'
export type { EncryptionContext } from './crypto/context.ts'
export type { MaxAgeDays } from './doctor/ages.ts'
export { type DoctorOptions, type DoctorReport, doctor } from './doctor/doctor.ts'
export type { Finding } from './doctor/finding.ts'
export {
  ClosedError,
  ConfigError,
  DecryptionError,
  InvalidInputError,
  JobBusyError,
  JobLostError,
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
  MigrationStateError,
  OverloadedError,
  SlowIndexError,
  StrongroomError,
  SystemicFailureError,
  TableError,
  type TableFault,
} from './errors.ts'
export type { EventOf, EventType, StrongroomEvent } from './events.ts'
export type { JsonValue } from './format/json.ts'
export type { Padding } from './format/padding.ts'
export { bucket } from './index/bucket-transforms.ts'
export { type NamedIndexPlan, type PlannedIndex, planField, planIndexes } from './index/budget.ts'
export { explainIndexPlan } from './index/explain.ts'
export type { FieldType } from './index/field-type.ts'
export { type IndexPlan, type PlanInput, planIndex } from './index/planner.ts'
export { prefix } from './index/text-transforms.ts'
export type { IndexTransform, OwnTransform, TransformName, TransformOption } from './index/transform.ts'
export type { Job, JobCounts, JobKind, JobProgress, JobStart, JobState, JobStore, JobWrite } from './job.ts'
export { type JobQueue, JobQueueError, parseRangeTask, type RangeTask } from './job-queue.ts'
export type {
  CommitResult,
  KeyCommit,
  KeyLogAnchor,
  KeyLogChange,
  KeyLogEntry,
  KeyLogHead,
  KeyPurpose,
  KeyPut,
  KeyQuery,
  KeyRecord,
  KeyState,
  KeyStore,
  KeyStoreTables,
  KeyWrap,
  ShredEntry,
  ShredLedger,
} from './key-store.ts'
export type { AddOptions } from './keys/add-key.ts'
export type { KeyInfo } from './keys/key-info.ts'
export type { Attempts } from './keys/key-ledger.ts'
export type { KeyManager, RotateOptions } from './keys/key-manager.ts'
export type { KeyStep, KeyStepPlan } from './keys/key-step.ts'
export type { ListOptions } from './keys/list-keys.ts'
export type { Proved, ReportBody, ReportVerdict } from './keys/report-proof.ts'
export type { RewrapOptions, RewrapReport } from './keys/rewrap-keys.ts'
export type { RewrapPlan } from './keys/rewrap-plan.ts'
export type { Rotation } from './keys/rotate-keys.ts'
export type { PlannedRotation, RotationPlan, WrapTarget } from './keys/rotation-plan.ts'
export type { KeyScope } from './keys/scope.ts'
export type { ShreddedKey, ShredKeysOptions } from './keys/shred-keys.ts'
export type { AllowedState } from './keys/states.ts'
export type { KmsCall, KmsProvider, RecipientLayout, RecoveryHalf, WrappedKey } from './kms.ts'
export type { ReuseLimits } from './messages/data-key-cache.ts'
export {
  type FileOptions,
  fileSource,
  type OpenFileOptions,
  openFile,
  type SealFileOptions,
  sealFile,
  verifyFile,
} from './messages/file.ts'
export { inspectMessage, type MessageSummary } from './messages/inspect.ts'
export { openMessage, sealMessage } from './messages/message.ts'
export { createMessages, type Messages, type MessagesOptions } from './messages/messages.ts'
export { openNodeStream, sealNodeStream } from './messages/node-stream.ts'
export type { OpenedMessage } from './messages/open.ts'
export type { MessageInfo, OpenOptions as OpenMessageOptions, ReadRecipients } from './messages/open-plan.ts'
export { openRange, type RangeSource } from './messages/range.ts'
export type { Recipient } from './messages/recipients.ts'
export { type RewrapFileOptions, rewrapFile } from './messages/rewrap-file.ts'
export type { SealOptions as SealMessageOptions } from './messages/seal-options.ts'
export {
  type OpenStreamOptions,
  openStream,
  type Progress,
  type SealStreamOptions,
  type StreamEvents,
  sealStream,
} from './messages/stream.ts'
export type { MessageSuite } from './messages/suites.ts'
export {
  type AnyColumnMigration,
  type ColumnMigration,
  defineMigration,
  type Migration,
} from './migration/define-migration.ts'
export { type CloakOptions, cloakFormat } from './migration/formats/cloak.ts'
export { fernetFormat } from './migration/formats/fernet.ts'
export { type LaravelOptions, laravelFormat } from './migration/formats/laravel.ts'
export { type RailsOptions, railsFormat } from './migration/formats/rails.ts'
export {
  cleanMigration,
  rollbackMigration,
  runMigration,
  switchMigration,
  verifyMigration,
} from './migration/migrate.ts'
export type { OldFormat } from './migration/old-format.ts'
export type { MigrationPhase, MigrationStep } from './migration/phase.ts'
export {
  type MigrationPlan,
  type PlannedColumn,
  type PlannedIndexColumn,
  planMigration,
} from './migration/plan.ts'
export type { RowCipher } from './migration/rows.ts'
export type { MigrationOptions, MigrationParts, MigrationReport } from './migration/run-step.ts'
export type { SampleOptions, SampleReport } from './migration/sample.ts'
export { type MigrationState, migrationState } from './migration/state.ts'
export type { StepSql } from './migration/steps-sql.ts'
export type { OldCell } from './migration/typed-text.ts'
export { type VerifiedSample, verifySample } from './migration/verify-sample.ts'
export type { AdmissionOptions } from './passwords/admission.ts'
export { type Argon2Parameters, type Argon2Preset, argon2Presets } from './passwords/argon2-parameters.ts'
export { type Argon2idOptions, argon2id } from './passwords/argon2id.ts'
export { type BreachedPasswordsOptions, breachedPasswords } from './passwords/breached-passwords.ts'
export {
  type Calibration,
  type CalibrationOptions,
  type CalibrationRow,
  calibrateArgon2id,
} from './passwords/calibrate.ts'
export { commonPasswords } from './passwords/common-passwords.ts'
export type { Argon2Engine, Argon2Request } from './passwords/engine.ts'
export { type FirebaseScryptOptions, firebaseHash, firebaseScrypt } from './passwords/legacy/firebase.ts'
export { legacySchemes } from './passwords/legacy/index.ts'
export { type RawDigestOptions, rawDigest } from './passwords/legacy/raw-digest.ts'
export type { Argon2EngineName } from './passwords/load-engine.ts'
export type { PasswordNormalization } from './passwords/password-bytes.ts'
export type {
  PasswordHasher,
  PasswordInspection,
  PasswordOptions,
  PasswordVerification,
} from './passwords/password-hasher.ts'
export {
  type PasswordPepper,
  type PepperedHasher,
  type PepperMode,
  type WithPepperOptions,
  withPepper,
} from './passwords/pepper.ts'
export {
  type PasswordBlocklist,
  type PasswordFault,
  type PasswordJudgement,
  type PasswordPolicy,
  type PasswordPolicyOptions,
  passwordPolicy,
  wordList,
} from './passwords/policy.ts'
export type { LegacyScheme, StoredHash } from './passwords/stored-hash.ts'
export {
  type LoginAttempt,
  type LoginResult,
  type PasswordColumn,
  replaceHashSql,
  verifyAndUpgrade,
} from './passwords/upgrade.ts'
export {
  bigint,
  boolean,
  bytes,
  date,
  type Field,
  type FieldOptions,
  type IndexOptions,
  integer,
  json,
  number,
  type Storage,
  text,
} from './records/field.ts'
export type { RowInspection } from './records/inspect-row.ts'
export type { DecryptOptions, RecordCipher } from './records/record-cipher.ts'
export type {
  AnyRecord,
  BlindIndex,
  BlindIndexBytes,
  BlindIndexText,
  Ciphertext,
  CiphertextBytes,
  CiphertextText,
  DecryptedRow,
  EncryptedRow,
  InferRow,
  PlainRow,
  RowId,
} from './records/record-types.ts'
export type { Settled } from './records/row-batch.ts'
export { type CompoundIndexOptions, defineRecord, type RecordOptions, type RecordSchema } from './records/schema.ts'
export { uuidv7 } from './records/uuidv7.ts'
export type { DecryptValueOptions, EncryptValueOptions, ValueOptions } from './records/value-cipher.ts'
export { type Census, type CensusCount, type CensusOptions, census, type OutgrownIndex } from './rotation/census.ts'
export type { ClearedTable } from './rotation/clear-tags.ts'
export type { JobOptions } from './rotation/job-options.ts'
export type { KeyRows } from './rotation/key-rows.ts'
export { type ReencryptOptions, reencryptTable } from './rotation/reencrypt.ts'
export { type ReencryptOnWorkersOptions, reencryptOnWorkers } from './rotation/reencrypt-on-workers.ts'
export { type ReportParts, type RotationReport, rotationReport } from './rotation/report.ts'
export {
  RETIRE_OVERRIDES,
  type RetireOptions,
  type RetireOverride,
  type RetireVerdict,
  retireKey,
  retireVerdict,
} from './rotation/retire.ts'
export type { BackupPolicy, RetireCheck, RetireCheckName, RetireParts } from './rotation/retire-checks.ts'
export type { JobReport } from './rotation/run-job.ts'
export {
  type Finality,
  finality,
  replayShreds,
  type ShredOptions,
  type ShredParts,
  type ShredReceipt,
  shred,
  shredExpired,
} from './rotation/shred.ts'
export type { ThrottleOptions } from './rotation/throttle.ts'
export { type WorkerEvent, type WorkerOptions, type WorkerRoom, workOnRanges } from './rotation/worker.ts'
export type { RowKey } from './row-key.ts'
export {
  type OpenOptions as OpenStrongroomOptions,
  openStrongroom,
  type PlainValue,
  type Strongroom,
} from './strongroom.ts'
export type {
  ColumnAlteration,
  HeadCount,
  HeadQuery,
  PageQuery,
  RowChange,
  Table,
  TableChange,
  TableColumn,
  TableDescription,
  TableGuard,
  TableIndex,
  TableRow,
} from './table.ts'
