import { DecryptionError } from '../errors.ts'
import { keyIdOf, parseField } from '../format/field.ts'
import type { KeyStore } from '../key-store.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { ValueCipher } from '../records/value-cipher.ts'
import type { PasswordPepper } from './pepper.ts'

/** What the pepper of a Strongroom works with. */
interface PepperParts {
  readonly keyring: Keyring
  readonly keys: KeyManager
  readonly values: ValueCipher
  readonly store: KeyStore
}

/** The pepper of a Strongroom: stored passwords are field ciphertexts under a pepper key, bound to the user. */
export class RoomPepper implements PasswordPepper {
  readonly #parts: PepperParts

  constructor(parts: PepperParts) {
    this.#parts = parts
  }

  /** Brings the pepper keys into memory, making the first one. @throws KeyStoreError, KmsError */
  async load(): Promise<void> {
    await this.#parts.keys.ensureActive('pepper', [''])
    await this.#parts.keyring.loadScope('pepper', '')
  }

  async encrypt(hash: string, userId: string): Promise<string> {
    if (!this.#parts.keyring.holds('pepper', '')) await this.load()
    return this.#parts.values.encrypt(hash, contextOf(userId), 'pepper') as string
  }

  async decrypt(stored: string, userId: string): Promise<string> {
    await this.#loadKeyOf(stored)
    return this.#parts.values.decrypt(stored, contextOf(userId), 'pepper') as string
  }

  isCurrent(stored: string): boolean {
    return this.#parts.values.isCurrent(stored, 'pepper')
  }

  /** Brings the key of one stored password into memory: another process may have made it a moment ago. */
  async #loadKeyOf(stored: string): Promise<void> {
    const { keyring, store } = this.#parts
    if (!keyring.holds('pepper', '')) await this.load()
    const field = parseField(stored)
    const id = field && keyIdOf(field)
    if (id === undefined || keyring.find(id) !== undefined) return
    await keyring.load([id])
    const isOurs = keyring.find(id) !== undefined || (await store.get([id])).length > 0
    if (!isOurs) throw new DecryptionError()
  }
}

function contextOf(userId: string) {
  return { context: { purpose: 'password', user: userId } }
}
