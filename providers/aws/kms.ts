import { Buffer } from 'node:buffer'
import { assertArray, assertFilled, assertMethods, assertObject, assertText } from '../../src/bytes.ts'
import type { EncryptionContext } from '../../src/crypto/context.ts'
import { contextPairs } from '../../src/crypto/context-pairs.ts'
import { ClosedError, InvalidInputError, KmsError, StrongroomError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'
import { awsError } from './faults.ts'
import { isKeyArn, isKeyId, isSameKey, parseKeyArn } from './key-arn.ts'
import { type AwsConnection, type AwsKmsClient, clientConfig, connectKms } from './kms-client.ts'

const PROVIDER = 'aws-kms'
const MAX_CIPHERTEXT = 6144
const ALIAS_FRESH_MS = 30_000

/** A key of AWS KMS. */
export interface AwsKmsOptions extends AwsConnection {
  /**
   * A symmetric ENCRYPT_DECRYPT key: its ARN, its id, `alias/name`, or the ARN of an alias. With an ARN everything about a
   * wrapped key is checked before any call. With an alias, the alias is looked up first (`kms:DescribeKey`).
   */
  readonly keyId: string
  /** ARNs of further keys that older wraps name: what an alias pointed at before. They unwrap and never wrap. At most 10. */
  readonly previousKeys?: readonly string[]
  /** At most 10. */
  readonly grantTokens?: readonly string[]
  /** A `KMS` of `@aws-sdk/client-kms`, with `maxAttempts: 1`; Strongroom retries by itself. Not closed by `close()`. */
  readonly client?: AwsKmsClient
}

/**
 * Wraps keys with AWS KMS (Encrypt, Decrypt, ReEncrypt), bound to the context as EncryptionContext, which CloudTrail logs.
 * A wrapped key names the ARN of the key that AWS used. Decrypt is pinned to a key of this configuration, never to one
 * that a wrapped key names; replicas of one multi-Region key (`mrk-`) stand for each other.
 *
 * Context: at most 8,192 characters, a limit of AWS.
 *
 * @throws InvalidInputError, ConfigError
 */
export function awsKms(options: AwsKmsOptions): KmsProvider {
  assertObject(options, 'the options')
  const { keyId, previousKeys = [], grantTokens = [] } = options
  assertKeyId(keyId)
  assertTexts(previousKeys, 'previousKeys')
  if (!previousKeys.every(isKeyArn)) throw new InvalidInputError('previousKeys must be full key ARNs')
  assertTexts(grantTokens, 'grantTokens')
  if (options.client !== undefined)
    assertMethods(options.client, CLIENT_METHODS, 'client, a KMS of @aws-sdk/client-kms,')
  clientConfig(options, parseKeyArn(keyId)?.region)
  const tokens = grantTokens.length === 0 ? {} : { GrantTokens: [...grantTokens] }

  const byAlias = !isKeyArn(keyId) && !isKeyId(keyId)
  let alias: { arn: string; at: number } | undefined
  let client: Promise<AwsKmsClient> | undefined
  let closed = false

  /** Runs one call, and gives every failure of it as a KmsError. */
  async function call<T>(
    action: string,
    signal: AbortSignal | undefined,
    send: (client: AwsKmsClient, options: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    if (closed) throw new ClosedError('awsKms')
    signal?.throwIfAborted()
    try {
      client ??= options.client === undefined ? connectKms(options, keyId) : Promise.resolve(options.client)
      return await send(await client, signal === undefined ? {} : { abortSignal: signal })
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof StrongroomError) {
        client = undefined
        throw error
      }
      throw awsError(PROVIDER, action, keyId, error)
    }
  }

  /** Whether `arn` is what `keyId` names, as far as that is known without a call. */
  function isConfigured(arn: string): boolean {
    if (!isKeyArn(arn)) return false
    if (previousKeys.some((key) => isSameKey(key, arn))) return true
    if (isKeyId(keyId)) return arn.endsWith(`:key/${keyId}`)
    if (!byAlias) return isSameKey(keyId, arn)
    if (alias !== undefined && performance.now() - alias.at < ALIAS_FRESH_MS) return isSameKey(alias.arn, arn)
    const [named, key] = [parseKeyArn(keyId), parseKeyArn(arn)]
    return named === undefined || (named.account === key?.account && named.partition === key.partition)
  }

  function accepts(wrapped: WrappedKey): boolean {
    return wrapped.provider === PROVIDER && isConfigured(wrapped.keyId)
  }

  /** The configured key under which AWS is to open `wrapped`, looked up first when the configuration names an alias. */
  async function pin(wrapped: WrappedKey, signal: AbortSignal | undefined): Promise<string> {
    assertAccepted({ name: PROVIDER, accepts }, wrapped)
    const previous = previousKeys.find((key) => isSameKey(key, wrapped.keyId))
    if (!byAlias) return previous ?? keyId
    if (alias !== undefined && isSameKey(alias.arn, wrapped.keyId)) return alias.arn
    if (previous !== undefined) return previous
    const { KeyMetadata } = await call('kms:DescribeKey', signal, (kms, send) =>
      kms.describeKey({ KeyId: keyId, ...tokens }, send),
    )
    alias = { arn: configuredArn(KeyMetadata?.Arn), at: performance.now() }
    assertAccepted({ name: PROVIDER, accepts }, wrapped)
    return alias.arn
  }

  function wrappedKey(arn: string | undefined, ciphertext: Uint8Array | undefined): WrappedKey {
    const used = configuredArn(arn)
    if (byAlias) alias = { arn: used, at: performance.now() }
    else if (!isConfigured(used))
      throw new KmsError(PROVIDER, 'misconfigured', 'answered for another key than the configured one')
    if (ciphertext === undefined || ciphertext.byteLength === 0 || ciphertext.byteLength > MAX_CIPHERTEXT) {
      throw new KmsError(PROVIDER, 'misconfigured', 'answered without a ciphertext')
    }
    return { provider: PROVIDER, keyId: used, ciphertext: Uint8Array.from(ciphertext) }
  }

  return checkedKms({
    name: PROVIDER,
    keyId,

    async wrap(key: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      const EncryptionContext = plainContext(context)
      const { KeyId, CiphertextBlob } = await call('kms:Encrypt', signal, (kms, send) =>
        kms.encrypt({ KeyId: keyId, Plaintext: key, EncryptionContext, ...tokens }, send),
      )
      return wrappedKey(KeyId, CiphertextBlob)
    },

    async unwrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<Uint8Array> {
      signal?.throwIfAborted()
      const EncryptionContext = plainContext(context)
      const KeyId = await pin(bounded(wrapped), signal)
      const answer = await call('kms:Decrypt', signal, (kms, send) =>
        kms.decrypt({ KeyId, CiphertextBlob: wrapped.ciphertext, EncryptionContext, ...tokens }, send),
      )
      const { Plaintext } = answer
      if (Plaintext === undefined) throw new KmsError(PROVIDER, 'misconfigured', 'answered without a key')
      const key = Buffer.alloc(Plaintext.byteLength)
      key.set(Plaintext)
      Plaintext.fill(0)
      if (isSameKey(configuredArn(answer.KeyId), wrapped.keyId)) return key
      key.fill(0)
      throw new KmsError(PROVIDER, 'invalid-ciphertext', 'the wrapped key was wrapped under another key than it names')
    },

    async rewrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<WrappedKey> {
      signal?.throwIfAborted()
      const EncryptionContext = plainContext(context)
      const SourceKeyId = await pin(bounded(wrapped), signal)
      const { KeyId, CiphertextBlob } = await call('kms:ReEncrypt', signal, (kms, send) =>
        kms.reEncrypt(
          {
            CiphertextBlob: wrapped.ciphertext,
            SourceKeyId,
            SourceEncryptionContext: EncryptionContext,
            DestinationKeyId: keyId,
            DestinationEncryptionContext: EncryptionContext,
            ...tokens,
          },
          send,
        ),
      )
      return wrappedKey(KeyId, CiphertextBlob)
    },

    accepts,

    async close(): Promise<void> {
      closed = true
      if (options.client === undefined) await client?.then((own) => own.destroy?.()).catch(() => undefined)
    },
  })
}

function assertKeyId(keyId: unknown): asserts keyId is string {
  assertText(keyId, 'keyId')
  if (isKeyId(keyId) || parseKeyArn(keyId) !== undefined || ALIAS.test(keyId)) return
  throw new InvalidInputError('keyId must be a key ARN, a key id, alias/name or an alias ARN')
}

function assertTexts(values: unknown, name: string): void {
  assertArray(values, name)
  if (values.length > MAX_TEXTS) throw new InvalidInputError(`${name} must be at most ${MAX_TEXTS}`)
  for (const value of values) assertFilled(value, `each of ${name}`)
}

const MAX_TEXTS = 10
const CLIENT_METHODS = ['encrypt', 'decrypt', 'reEncrypt', 'describeKey']

const ALIAS = /^alias\/[A-Za-z0-9/_-]{1,250}$/

function configuredArn(arn: string | undefined): string {
  if (arn !== undefined && isKeyArn(arn)) return arn
  throw new KmsError(PROVIDER, 'misconfigured', 'answered without the ARN of the key it used')
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Checked as all contexts are, and free of inherited properties. */
function plainContext(context: EncryptionContext): Record<string, string> {
  return Object.fromEntries(contextPairs(context).map(([name, value]) => [UTF8.decode(name), UTF8.decode(value)]))
}

function bounded(wrapped: WrappedKey): WrappedKey {
  const { byteLength } = wrapped.ciphertext
  if (byteLength > 0 && byteLength <= MAX_CIPHERTEXT) return wrapped
  throw new KmsError(PROVIDER, 'invalid-ciphertext', `the wrapped key must be 1 to ${MAX_CIPHERTEXT} bytes`)
}
