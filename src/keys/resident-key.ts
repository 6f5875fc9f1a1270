import type { KeyPurpose, KeyRecord, KeyState } from '../key-store.ts'
import type { Clock } from './clock.ts'
import type { RootKey } from './root-key.ts'

/** What every key in memory tells about itself. It prints as its id and nothing else. */
export abstract class ResidentKey {
  readonly id: string
  readonly purpose: KeyPurpose
  readonly scope: string
  readonly generation: number
  readonly #expiresAt: number
  state: KeyState
  /** The root key whose lease this key lives on. */
  root: RootKey

  constructor(record: KeyRecord, root: RootKey) {
    this.id = record.id
    this.purpose = record.purpose
    this.scope = record.scope
    this.generation = record.generation
    this.state = record.state
    this.root = root
    this.#expiresAt = record.expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(record.expiresAt)
  }

  /** Whether the key's own end has come, after which it neither encrypts nor decrypts. */
  expired(clock: Clock): boolean {
    return this.#expiresAt !== Number.POSITIVE_INFINITY && clock.date().getTime() >= this.#expiresAt
  }

  /** Takes over what a newer record says. */
  follow(record: KeyRecord, root: RootKey): void {
    this.state = record.state
    this.root = root
  }

  abstract wipe(): void

  toJSON(): object {
    return { id: this.id, purpose: this.purpose, state: this.state }
  }
}
