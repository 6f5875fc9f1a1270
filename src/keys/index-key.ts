import { Buffer } from 'node:buffer'
import { wipe } from '../bytes.ts'
import type { KeyRecord } from '../key-store.ts'
import { ResidentKey } from './resident-key.ts'
import type { RootKey } from './root-key.ts'

const VERSIONS = 255

/** The version that the tags of an index key begin with, 1 to 255, by its generation. */
export function indexVersion(generation: number): number {
  return ((generation - 1) % VERSIONS) + 1
}

/** The secret of one scope's blind indexes, in memory, with what was derived from it. */
export class IndexKey extends ResidentKey {
  readonly #secret: Buffer
  readonly #derived = new Map<string, { wipe(): void }>()
  /** 1 to 255; stands in front of every index value, so that two generations can be told apart while one replaces the other. */
  readonly version: number

  /** @param secret 32 bytes; copied */
  constructor(secret: Uint8Array, record: KeyRecord, root: RootKey) {
    super(record, root)
    this.#secret = Buffer.alloc(secret.byteLength)
    this.#secret.set(secret)
    this.version = indexVersion(record.generation)
  }

  /** What `make` derives from the secret, made once per `name` and wiped together with the key. */
  derive<Derived extends { wipe(): void }>(name: string, make: (secret: Uint8Array) => Derived): Derived {
    const known = this.#derived.get(name) as Derived | undefined
    if (known !== undefined) return known
    const made = make(this.#secret)
    this.#derived.set(name, made)
    return made
  }

  wipe(): void {
    wipe(this.#secret)
    for (const derived of this.#derived.values()) derived.wipe()
    this.#derived.clear()
  }
}
