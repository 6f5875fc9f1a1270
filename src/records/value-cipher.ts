import { Buffer } from 'node:buffer'
import { assertObject, describe, wipe } from '../bytes.ts'
import { type EncryptionContext, encodeContext } from '../crypto/context.ts'
import { DecryptionError, InvalidInputError, KeyNotResidentError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import { AAD_CONTEXT_AT, AAD_LABEL, keyIdOf, parseField } from '../format/field.ts'
import { assertPadding, DEFAULT_PADDING, type Padding } from '../format/padding.ts'
import { encodeTypedPlaintext, parseTypedPlaintext, typeOfPlaintext, type ValueType } from '../format/typed-value.ts'
import type { Clock } from '../keys/clock.ts'
import { DataKey } from '../keys/data-key.ts'
import type { Keyring } from '../keys/keyring.ts'
import { encodeScope, type KeyScope } from '../keys/scope.ts'
import { type AllowedState, assertAllowed } from '../keys/states.ts'
import { assertDecrypts } from './field-cipher.ts'

/** What a single value is bound to and whose key it is under. */
export interface ValueOptions {
  /** Bound to the ciphertext: decrypting needs the same. The name of the Strongroom is added as `app`. */
  readonly context: EncryptionContext
  /** The empty scope by default. */
  readonly scope?: KeyScope
}

/** How to encrypt a single value. */
export interface EncryptValueOptions extends ValueOptions {
  /** How the length is hidden: `{ min: 16 }` by default. */
  readonly padding?: Padding
}

/** How to decrypt a single value. */
export interface DecryptValueOptions extends ValueOptions {
  /** Also decrypt under a key in one of these states, to rescue data. */
  readonly allow?: readonly AllowedState[]
}

/** Encrypts values that belong to no record, under keys in memory. */
export class ValueCipher {
  readonly #app: string
  readonly #keyring: Keyring
  readonly #events: EventHub
  readonly #clock: Clock

  constructor(parts: { app: string; keyring: Keyring; events: EventHub; clock: Clock }) {
    this.#app = parts.app
    this.#keyring = parts.keyring
    this.#events = parts.events
    this.#clock = parts.clock
  }

  /** @returns bytes for bytes, text for everything else */
  encrypt(value: unknown, options: EncryptValueOptions, purpose: 'data' | 'pepper' = 'data'): string | Uint8Array {
    assertObject(options, 'options')
    if (options.padding !== undefined) assertPadding(options.padding)
    const type = typeOf(value)
    const aad = this.#aad(options)
    const key = this.#keyring.active(purpose, this.#scope(options))
    const plaintext = encodeTypedPlaintext(value, type, options.padding ?? DEFAULT_PADDING)
    try {
      const out = type === 'bytes' ? key.encryptBytes(plaintext, aad) : key.encryptText(plaintext, aad)
      if (this.#events.wants('key.used')) {
        this.#events.emit({ type: 'key.used', operation: 'encrypt', keyId: key.id, purpose })
      }
      return out
    } finally {
      wipe(plaintext)
    }
  }

  /** @throws DecryptionError, KeyNotResidentError, KeyUnavailableError */
  decrypt(ciphertext: unknown, options: DecryptValueOptions, purpose: 'data' | 'pepper' = 'data'): unknown {
    assertObject(options, 'options')
    const aad = this.#aad(options)
    const scope = this.#scope(options)
    const field = parseField(ciphertext)
    if (field === undefined) throw this.#failed()
    const keyId = keyIdOf(field)
    const key = this.#keyring.find(keyId)
    if (key === undefined) {
      this.#keyring.assertOpen()
      this.#keyring.assertNotRetired(keyId)
      throw new KeyNotResidentError(`key ${keyId}`, 'call `await room.unlock([scope])` with its scope first')
    }
    if (!(key instanceof DataKey) || key.purpose !== purpose || key.scope !== scope) throw this.#failed(keyId)
    if (options.allow !== undefined) assertAllowed(options.allow)
    assertDecrypts(key, this.#clock, options.allow ?? [])
    const plaintext = key.decrypt(field, aad)
    const type = plaintext && typeOfPlaintext(plaintext)
    if (plaintext === undefined || type === undefined) throw this.#failed(keyId)
    try {
      const parsed = parseTypedPlaintext(plaintext, type)
      if (parsed === undefined) throw this.#failed(keyId)
      if (this.#events.wants('key.used')) this.#events.emit({ type: 'key.used', operation: 'decrypt', keyId, purpose })
      return parsed.value
    } finally {
      wipe(plaintext)
    }
  }

  /** Whether a ciphertext of the empty scope was made under the key that writes now. @throws KeyNotResidentError */
  isCurrent(ciphertext: unknown, purpose: 'data' | 'pepper'): boolean {
    const field = parseField(ciphertext)
    return field !== undefined && keyIdOf(field) === this.#keyring.active(purpose, '').id
  }

  /** The empty scope where none is given; null is refused, which may have been meant for somebody's. */
  #scope({ scope = {} }: ValueOptions): string {
    return encodeScope(scope, this.#app)
  }

  #aad({ context }: ValueOptions): Buffer {
    assertObject(context, 'context')
    if (Object.hasOwn(context, 'app'))
      throw new InvalidInputError('context name "app" is taken by the name of the Strongroom')
    const encoded = encodeContext({ ...context, app: this.#app })
    const aad = Buffer.alloc(AAD_CONTEXT_AT + encoded.byteLength)
    AAD_LABEL.copy(aad)
    encoded.copy(aad, AAD_CONTEXT_AT)
    return aad
  }

  #failed(keyId?: string): DecryptionError {
    this.#events.emit({ type: 'decrypt.failed', ...(keyId === undefined ? {} : { keyId }) })
    return new DecryptionError()
  }
}

function typeOf(value: unknown): ValueType {
  if (value === null) return 'text'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof Date) return 'date'
  switch (typeof value) {
    case 'string':
      return 'text'
    case 'number':
    case 'bigint':
    case 'boolean':
      return typeof value as 'number' | 'bigint' | 'boolean'
    case 'object':
      return 'json'
    default:
      throw new InvalidInputError(`a value must be text, bytes, a number, a Date or JSON, received ${describe(value)}`)
  }
}
