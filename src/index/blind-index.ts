import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { assertBytes, describe, lengthPrefixed, wipe } from '../bytes.ts'
import { hkdfExpand, labels } from '../crypto/kdf.ts'
import { randomInto } from '../crypto/random.ts'
import { ClosedError, ConfigError, InvalidInputError } from '../errors.ts'
import { MAX_PARTS, messageBound, type TagPart, writeMessage } from './tag-message.ts'

export type { TagPart } from './tag-message.ts'

/** What one index is; every part of it is bound into its key. For a compound index, `column` and `transformId` are lists joined by `,`. */
export interface IndexDefinition {
  /** Name of the record. */
  readonly table: string
  /** The indexed field, or fields. */
  readonly column: string
  /** The column that holds the tags. */
  readonly index: string
  readonly transformId: string
  /** 1 to 256 */
  readonly bits: number
}

/**
 * Derives the key of one index from the secret of its scope. Index specification section 5.
 *
 * @param rootSecret 32 random bytes
 * @returns 32 bytes, to be wiped by the caller
 * @throws ConfigError when a name is not made of 1 to 64 letters, digits, `_`, `.` or `-`
 */
export function indexKey(rootSecret: Uint8Array, definition: IndexDefinition): Buffer {
  assertSecret(rootSecret, 'the index root secret')
  const { table, column, index, transformId, bits } = definition
  assertNames(table, 'the table', 1)
  assertNames(column, 'the column', MAX_PARTS)
  assertNames(index, 'the index', 1)
  assertNames(transformId, 'the transform id', MAX_PARTS + 1) // a slow index says so behind its transforms
  assertBits(bits)
  return hkdfExpand(rootSecret, lengthPrefixed([labels.index, table, column, index, transformId, String(bits)]), 32)
}

/** Derives the key of one index and hands it to a tag maker; no other copy is left. @throws as `indexKey` */
export function openTagMaker(rootSecret: Uint8Array, definition: IndexDefinition): TagMaker {
  const key = indexKey(rootSecret, definition)
  try {
    return new TagMaker(key, definition.bits)
  } finally {
    wipe(key)
  }
}

/** Holds the key of one index and makes its tags; it cannot be printed. Index specification section 6. */
export class TagMaker {
  readonly #innerPad: Buffer
  /** The outer pad, then room for the inner digest. */
  readonly #outer: Buffer
  readonly #bits: number
  readonly #length: number
  #wiped = false

  /**
   * @param key 32 bytes, copied
   * @param bits 1 to 256
   */
  constructor(key: Uint8Array, bits: number) {
    assertSecret(key, 'the index key')
    assertBits(bits)
    this.#bits = bits
    this.#length = Math.ceil(bits / 8)
    this.#innerPad = Buffer.alloc(BLOCK, 0x36)
    this.#outer = Buffer.alloc(BLOCK + DIGEST, 0x5c)
    for (let i = 0; i < key.length; i++) {
      this.#innerPad[i] = (key[i] as number) ^ 0x36
      this.#outer[i] = (key[i] as number) ^ 0x5c
    }
  }

  /**
   * The tag of a value, or of several for a compound index.
   *
   * @param version of the index key, 1 to 255
   * @param parts 1 to 16
   * @returns 1 + ⌈bits / 8⌉ bytes; unused low bits of the last one are zero
   * @throws InvalidInputError on another version, type or value. @throws ClosedError after `wipe()`
   */
  tag(version: number, parts: readonly TagPart[]): Buffer {
    this.#assertOpen()
    assertVersion(version)
    const digest = this.#hmac(parts)
    const out = Buffer.allocUnsafe(1 + this.#length)
    out[0] = version
    for (let i = 0; i < this.#length; i++) out[1 + i] = digest.charCodeAt(i)
    return this.#masked(out)
  }

  /**
   * What the tag of a slow index is hashed from: the message, and a salt that nobody without the key knows, so that no
   * guesses can be hashed before it leaks and none serve two indexes. @throws as `tag`
   */
  slowInput(parts: readonly TagPart[]): { message: Buffer; salt: Buffer } {
    this.#assertOpen()
    const message = Buffer.alloc(messageBound(parts))
    const length = writeMessage(message, 0, parts)
    const salt = Buffer.from(this.#hmac([{ type: SALT_TYPE, value: labels.slowIndex }]), 'binary')
    return { message: message.subarray(0, length), salt: salt.subarray(0, SALT_LENGTH) }
  }

  /** A random tag of the same size, for a value that is null. @throws as `tag` */
  randomTag(version: number): Buffer {
    this.#assertOpen()
    assertVersion(version)
    const out = Buffer.alloc(1 + this.#length)
    randomInto(out, 1, this.#length)
    out[0] = version
    return this.#masked(out)
  }

  /** Overwrites the key; every later call throws. */
  wipe(): void {
    this.#wiped = true
    wipe(this.#innerPad, this.#outer)
  }

  toJSON(): string {
    return '[TagMaker]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[TagMaker]'
  }

  #assertOpen(): void {
    if (this.#wiped) throw new ClosedError('this tag maker')
  }

  #masked(out: Buffer): Buffer {
    const last = out.length - 1
    out[last] = (out[last] as number) & (0xff << (8 * this.#length - this.#bits))
    return out
  }

  /** HMAC-SHA-256 as two one-shot hashes over prepared pads: half the cost of createHmac for short values. RFC 2104. */
  #hmac(parts: readonly TagPart[]): string {
    const size = messageBound(parts)
    const message = size <= scratch.length - BLOCK ? scratch : Buffer.alloc(BLOCK + size)
    let end = BLOCK
    try {
      message.set(this.#innerPad, 0)
      end = writeMessage(message, BLOCK, parts)
      this.#outer.write(hash('sha256', firstBytes(message, end), 'binary'), BLOCK, 'binary')
      return hash('sha256', this.#outer, 'binary')
    } finally {
      message.fill(0, 0, end)
    }
  }
}

// No field has this type, so the salt is the tag of no value.
const SALT_TYPE = 0x11
const SALT_LENGTH = 16
const BLOCK = 64
const DIGEST = 32
const NAME = /^[A-Za-z0-9_.-]{1,64}$/

// Shared by all tag makers of a thread: nothing in it outlives one synchronous call.
const scratch = Buffer.alloc(1024)
const views: Buffer[] = []

/** A view of the first bytes; those of the scratch buffer are made once for each length. */
function firstBytes(message: Buffer, end: number): Buffer {
  if (message !== scratch) return message.subarray(0, end)
  const known = views[end]
  if (known !== undefined) return known
  while (views.length <= end) views.push(scratch.subarray(0, views.length))
  return views[end] as Buffer
}

function assertNames(value: unknown, what: string, most: number): void {
  if (typeof value !== 'string') throw new InvalidInputError(`${what} must be a string, received ${describe(value)}`)
  const names = value.split(',', most + 1)
  if (names.length > most || !names.every((name) => NAME.test(name))) {
    throw new ConfigError(`${what} must be a name of 1 to 64 letters, digits, "_", "." or "-"`)
  }
}

function assertSecret(secret: unknown, what: string): void {
  assertBytes(secret, what)
  if (secret.byteLength !== 32) throw new InvalidInputError(`${what} must have 32 bytes, received ${secret.byteLength}`)
}

function assertBits(bits: unknown): void {
  if (!Number.isInteger(bits) || (bits as number) < 1 || (bits as number) > 256) {
    throw new InvalidInputError('the bits of an index must be an integer from 1 to 256')
  }
}

function assertVersion(version: unknown): void {
  if (!Number.isInteger(version) || (version as number) < 1 || (version as number) > 255) {
    throw new InvalidInputError('the version of an index must be an integer from 1 to 255')
  }
}
