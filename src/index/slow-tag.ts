import { wipe } from '../bytes.ts'
import type { TagMaker, TagPart } from './blind-index.ts'

/** What the tag of a slow index hashes with: Argon2id with these parameters. Index specification section 6.1. */
export const SLOW_HASH = {
  type: 'argon2id',
  version: 19,
  memoryKiB: 4096,
  passes: 3,
  parallelism: 1,
  hashLength: 32,
} as const

/** Stands behind the transform ids of a slow index, so that its key is not that of the fast one. */
export const SLOW_TRANSFORM = 'slow-argon2id-v1'

/** Computes Argon2id with `SLOW_HASH`. @returns 32 bytes */
export type SlowHash = (message: Uint8Array, salt: Uint8Array) => Promise<Uint8Array>

/** The tag of a value, or of several, in a slow index. @throws as `TagMaker.tag` */
export async function slowTag(maker: TagMaker, version: number, parts: readonly TagPart[], hash: SlowHash) {
  const { message, salt } = maker.slowInput(parts)
  try {
    return maker.tag(version, [{ type: SLOW_TYPE, value: await hash(message, salt) }])
  } finally {
    wipe(message)
  }
}

// No field has this type, so a slow tag is no fast tag of anything.
const SLOW_TYPE = 0x10
