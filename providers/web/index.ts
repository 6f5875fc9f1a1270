/** Sealed messages in a browser, on WebCrypto. Import from `strongroom/web`; it needs nothing of Node. */

export type { EncryptionContext } from '../../src/crypto/context-pairs.ts'
export {
  ClosedError,
  ConfigError,
  DecryptionError,
  InvalidInputError,
  KmsError,
  type KmsErrorKind,
  StrongroomError,
} from '../../src/errors.ts'
export type { KmsCall, KmsProvider, RecipientLayout, WrappedKey } from '../../src/kms.ts'
export type { MessageInfo, OpenOptions } from '../../src/messages/open-plan.ts'
export type { Recipient } from '../../src/messages/recipients.ts'
export type { SealOptions } from '../../src/messages/seal-options.ts'
export type { MessageSuite } from '../../src/messages/suites.ts'
export type { RawRsaHash } from '../raw/layout.ts'
export { type RawAesOptions, rawAes } from './aes.ts'
export { type OpenedMessage, openMessage } from './open.ts'
export { type RawRsaOptions, rawRsa } from './rsa.ts'
export type { RsaJwk, RsaKeyInput } from './rsa-key.ts'
export { sealMessage } from './seal.ts'
export { type OpenStreamOptions, openStream, sealStream } from './stream.ts'
export type { WebKey } from './subtle.ts'
