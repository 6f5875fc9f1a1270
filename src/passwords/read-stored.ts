import type { Buffer } from 'node:buffer'
import { type Argon2Parameters, isBelowFloor, isWeaker, isWithinLimits } from './argon2-parameters.ts'
import type { Argon2Runner } from './argon2-runner.ts'
import { type Argon2String, blankArgon2, parseArgon2 } from './argon2-string.ts'
import { MAX_STORED_LENGTH } from './phc.ts'
import type { LegacyScheme, StoredHash } from './stored-hash.ts'
import { parseWrapped } from './wrapped-hash.ts'

/** A stored hash, and how it compares to what is written today. */
export interface ReadHash extends StoredHash {
  /** At least as strong as the current parameters, and not of an old scheme. */
  readonly current: boolean
  /** Argon2id over an old hash. */
  readonly wrapped: boolean
  /** Weaker than the OWASP minimum for Argon2id, or another scheme, and not wrapped. */
  readonly belowFloor: boolean
}

/** What stored text is read with. */
export interface StoredReaderOptions {
  /** The parameters of new hashes. */
  readonly current: Argon2Parameters
  readonly legacy: readonly LegacyScheme[]
  readonly run: Argon2Runner
}

const SALT_LENGTH = 16
const HASH_LENGTH = 32
const DJANGO_PREFIX = 'argon2$'

/** Makes a reader of stored text; it returns undefined for what it does not know, or what would cost more than the limits. */
export function storedReader(options: StoredReaderOptions): (stored: string) => ReadHash | undefined {
  const { current, legacy, run } = options
  return (stored) => {
    if (stored.length > MAX_STORED_LENGTH) return undefined
    const wrapped = parseWrapped(stored)
    if (wrapped === undefined) return readPlain(stored)
    const inner = readPlain(wrapped.settings)
    const outer = parseWithinLimits(wrapped.argon2)
    return inner === undefined || outer === undefined ? undefined : joinWrapped(inner, outer)
  }

  function readPlain(stored: string): ReadHash | undefined {
    const argon2 = readArgon2(stored)
    if (argon2 !== undefined) return argon2
    for (const scheme of legacy) {
      const hash = scheme.parse(stored)
      if (hash !== undefined) return { ...hash, current: false, wrapped: false, belowFloor: true }
    }
    return undefined
  }

  function readArgon2(stored: string): ReadHash | undefined {
    const text = stored.startsWith(DJANGO_PREFIX) ? stored.slice(DJANGO_PREFIX.length - 1) : stored
    const parsed = parseWithinLimits(text)
    if (parsed === undefined) return undefined
    const isCurrentType = parsed.type === 'argon2id' && parsed.version === 19 && text === stored
    const isLongEnough = parsed.salt.byteLength >= SALT_LENGTH && parsed.hash.byteLength >= HASH_LENGTH
    return {
      scheme: parsed.type,
      cost: `m=${parsed.memoryKiB},t=${parsed.passes},p=${parsed.parallelism}`,
      memoryKiB: parsed.memoryKiB,
      threads: parsed.parallelism,
      digest: parsed.hash,
      settings: blankArgon2(stored, parsed.hash),
      compute: (password) => compute(parsed, password),
      current: isCurrentType && isLongEnough && !isWeaker(parsed, current),
      wrapped: false,
      belowFloor: parsed.type !== 'argon2id' || isBelowFloor(parsed),
    }
  }

  function joinWrapped(inner: ReadHash, outer: Argon2String): ReadHash {
    return {
      ...inner,
      memoryKiB: Math.max(inner.memoryKiB, outer.memoryKiB),
      threads: Math.max(inner.threads ?? 1, outer.parallelism),
      digest: outer.hash,
      compute: async (password) => {
        const digest = await inner.compute(password)
        return digest === undefined ? undefined : compute(outer, digest)
      },
      current: false,
      wrapped: true,
      belowFloor: isBelowFloor(outer),
    }
  }

  function parseWithinLimits(text: string): Argon2String | undefined {
    const parsed = parseArgon2(text)
    return parsed !== undefined && isWithinLimits(parsed, current) ? parsed : undefined
  }

  function compute(parsed: Argon2String, password: Buffer): Promise<Buffer> {
    return run({ ...parsed, hashLength: parsed.hash.byteLength, password })
  }
}
