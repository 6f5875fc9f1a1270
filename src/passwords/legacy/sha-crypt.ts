import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { parseDecimal } from '../phc.ts'
import type { LegacyScheme } from '../stored-hash.ts'
import { encodeCrypt64 } from './encodings.ts'
import { repeat } from './repeat.ts'

const FORMAT = /^\$([56])\$(?:rounds=([0-9]{4,7})\$)?([^$\n:]{0,16})\$([./A-Za-z0-9]{43}|[./A-Za-z0-9]{86})$/
const DEFAULT_ROUNDS = 5000
const MIN_ROUNDS = 1000
const MAX_ROUNDS = 1_000_000
const VARIANTS = {
  '5': { hash: 'sha256', length: 32, text: 43 },
  '6': { hash: 'sha512', length: 64, text: 86 },
} as const

type Variant = (typeof VARIANTS)[keyof typeof VARIANTS]

/**
 * sha256-crypt `$5$` and sha512-crypt `$6$` of crypt(3): Linux accounts, Dovecot, many mail systems.
 * Trap: a missing `rounds` means 5,000, and the digest's bytes are written in an order of their own.
 */
export const shaCrypt: LegacyScheme = {
  name: 'sha-crypt',
  parse: (stored) => {
    const [, id, roundsText, salt, hash] = FORMAT.exec(stored) ?? []
    if (id === undefined || salt === undefined || hash === undefined) return undefined
    const variant = VARIANTS[id as '5' | '6']
    const rounds = roundsText === undefined ? DEFAULT_ROUNDS : (parseDecimal(roundsText) ?? 0)
    if (hash.length !== variant.text || rounds < MIN_ROUNDS || rounds > MAX_ROUNDS) return undefined
    return {
      scheme: `${variant.hash}-crypt`,
      cost: `rounds=${rounds}`,
      memoryKiB: 0,
      digest: Buffer.from(hash, 'latin1'),
      settings: stored.slice(0, -hash.length) + '.'.repeat(hash.length),
      compute: async (password) => {
        const digest = await compute(variant, password, Buffer.from(salt, 'utf8'), rounds)
        return Buffer.from(encodeCrypt64(transpose(digest)), 'latin1')
      },
    }
  },
}

/** U. Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6: the steps of its section on the algorithm. */
async function compute(variant: Variant, password: Buffer, salt: Buffer, rounds: number): Promise<Buffer> {
  const digest = (...parts: Uint8Array[]) => {
    const hash = createHash(variant.hash)
    for (const part of parts) hash.update(part)
    return hash.digest()
  }
  const { byteLength } = password
  const b = digest(password, salt, password) // steps 4 to 8
  const a: Uint8Array[] = [password, salt, stretch(b, byteLength)] // 1 to 3, 9, 10
  for (let bits = byteLength; bits > 0; bits >>>= 1) a.push(bits & 1 ? b : password) // 11
  let sum = digest(...a) // 12
  const p = stretch(digest(...Array<Buffer>(byteLength).fill(password)), byteLength) // 13 to 16
  const s = stretch(digest(...Array<Buffer>(16 + (sum[0] as number)).fill(salt)), salt.byteLength) // 17 to 20
  await repeat(rounds, (round) => {
    const odd = round % 2 === 1
    const parts: Uint8Array[] = [odd ? p : sum]
    if (round % 3 !== 0) parts.push(s)
    if (round % 7 !== 0) parts.push(p)
    parts.push(odd ? sum : p)
    sum = digest(...parts) // 21
  })
  return sum
}

/** `length` bytes of `block` again and again. */
function stretch(block: Buffer, length: number): Buffer {
  return Buffer.alloc(length, block)
}

/** The order in which step 22 writes the bytes: groups of three from three thirds, turning by one each time. */
function transpose(digest: Buffer): Buffer {
  const third = Math.floor(digest.byteLength / 3)
  const turn = digest.byteLength === 32 ? 2 : 1
  const out: number[] = []
  for (let i = 0; i < third; i++) {
    for (let j = 2; j >= 0; j--) out.push(digest[i + third * ((j + turn * i) % 3)] as number)
  }
  return Buffer.from([...out, ...digest.subarray(3 * third)])
}
