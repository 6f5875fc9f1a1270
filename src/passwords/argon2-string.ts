import type { Buffer } from 'node:buffer'
import type { Argon2Parameters } from './argon2-parameters.ts'
import type { Argon2Type, Argon2Version } from './engine.ts'
import { encodeB64, encodePhc, parseB64, parseDecimal, parsePhc } from './phc.ts'

/** An Argon2 hash string, taken apart. */
export interface Argon2String extends Argon2Parameters {
  readonly type: Argon2Type
  readonly version: Argon2Version
  /** The optional `data` of the string, at most 32 bytes. */
  readonly associatedData: Buffer
  readonly salt: Buffer
  readonly hash: Buffer
}

const TYPES: readonly string[] = ['argon2id', 'argon2i', 'argon2d']
const NAMES: readonly string[] = ['m', 't', 'p', 'data']
const SALT = { least: 8, most: 64 }
const HASH = { least: 12, most: 64 }
const MAX_DATA = 32

/**
 * Parses `$argon2id$v=19$m=65536,t=3,p=1$salt$hash` and its relatives: argon2i and argon2d, a missing `v` (which means
 * version 16), the params in any order, an optional `data`. A `keyid` is refused: it says that a secret was mixed in.
 * The costs are not judged here.
 *
 * @returns undefined when it is anything else, or salt and hash are not 8 to 64 and 12 to 64 bytes
 */
export function parseArgon2(text: string): Argon2String | undefined {
  const phc = parsePhc(text)
  if (phc === undefined || !TYPES.includes(phc.id)) return undefined
  const version = phc.version ?? 16
  if (version !== 16 && version !== 19) return undefined
  if ([...phc.params.keys()].some((name) => !NAMES.includes(name))) return undefined
  const [memoryKiB, passes, parallelism] = ['m', 't', 'p'].map((name) => parseDecimal(phc.params.get(name) ?? ''))
  const associatedData = parseB64(phc.params.get('data') ?? '')
  if (memoryKiB === undefined || passes === undefined || parallelism === undefined) return undefined
  if (associatedData === undefined || associatedData.byteLength > MAX_DATA) return undefined
  if (!within(phc.salt, SALT) || !within(phc.hash, HASH)) return undefined
  const { salt, hash } = phc
  return { type: phc.id as Argon2Type, version, memoryKiB, passes, parallelism, associatedData, salt, hash }
}

/** Writes the canonical string of a new Argon2id hash. */
export function encodeArgon2id(parameters: Argon2Parameters, salt: Buffer, hash: Buffer): string {
  const params = new Map([
    ['m', String(parameters.memoryKiB)],
    ['t', String(parameters.passes)],
    ['p', String(parameters.parallelism)],
  ])
  return encodePhc({ id: 'argon2id', version: 19, params, salt, hash })
}

/** The same string with a hash of zeros: what is needed to compute the hash again, without the hash. */
export function blankArgon2(text: string, hash: Buffer): string {
  const { length } = encodeB64(hash)
  return text.slice(0, -length) + 'A'.repeat(length)
}

function within(bytes: Buffer, { least, most }: { least: number; most: number }): boolean {
  return bytes.byteLength >= least && bytes.byteLength <= most
}
