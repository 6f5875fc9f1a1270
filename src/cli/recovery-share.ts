import { Buffer } from 'node:buffer'
import { wipe } from '../bytes.ts'
import { checksum, publicOf, recoverySetId } from '../crypto/recovery-key.ts'
import { CommandError } from './output.ts'
import { combine, split } from './vendor.ts'

/** One share of a recovery key. */
export interface RecoveryShare {
  /** Which recovery key it is a share of, 16 hexadecimal characters. */
  readonly set: string
  /** How many shares open it, and how many there are. */
  readonly threshold: number
  readonly shares: number
  /** 1 to `shares` */
  readonly index: number
  /** 33 bytes: a secret. */
  readonly data: Uint8Array
}

const PREFIX = 'SRSHARE1'
const DATA_LENGTH = 33
const SHARE = /SRSHARE1-[0-9A-F]{16}-\d{1,2}-\d{1,2}-\d{1,2}-[0-9A-F]{66}-[0-9A-F]{8}/g
const PARTS = /^SRSHARE1-([0-9A-F]{16})-(\d{1,2})-(\d{1,2})-(\d{1,2})-([0-9A-F]{66})-([0-9A-F]{8})$/
export const MAX_SHARES = 16

/**
 * Splits a private key by Shamir's scheme, and proves the shares by combining some of them again.
 *
 * @param privateKey 32 bytes; not kept
 */
export async function splitKey(privateKey: Uint8Array, shares: number, threshold: number): Promise<RecoveryShare[]> {
  const set = recoverySetId(publicOf(privateKey))
  const secret = Uint8Array.from(privateKey) // it takes no subclass of a Uint8Array
  const pieces = await split(secret, shares, threshold).finally(() => wipe(secret))
  const made = pieces.map((data, at) => ({ set, threshold, shares, index: at + 1, data }))
  for (const few of [made.slice(0, threshold), made.slice(-threshold)]) wipe(await combineShares(few))
  return made
}

/**
 * Puts a private key together. Shamir's scheme itself notices nothing: the result must be the key that the shares name.
 *
 * @returns 32 bytes, which the caller wipes
 * @throws CommandError when they are too few, of several sets, or not right
 */
export async function combineShares(shares: readonly RecoveryShare[]): Promise<Uint8Array> {
  const [first] = shares
  if (first === undefined) throw new CommandError('no share was given', { exitCode: 2 })
  const { set, threshold } = first
  const sets = [...new Set(shares.map((share) => share.set))]
  if (sets.length > 1) throw new CommandError(`these are shares of ${sets.length} recovery keys: ${sets.join(', ')}`)
  if (shares.some((share) => share.threshold !== threshold || share.shares !== first.shares)) throw wrong(set)
  const different = [...new Map(shares.map((share) => [share.index, share])).values()]
  if (different.length < threshold) {
    throw new CommandError(`${threshold} different shares are needed, and ${different.length} were given`)
  }
  const key = await combine(different.map(({ data }) => Uint8Array.from(data))).catch(() => new Uint8Array())
  if (key.byteLength === DATA_LENGTH - 1 && recoverySetId(publicOf(key)) === set) return key
  wipe(key)
  throw wrong(set)
}

/** A share as text: upper case, so that a QR code of it is small. */
export function encodeShare({ set, threshold, shares, index, data }: RecoveryShare): string {
  const parts = [PREFIX, set, threshold, shares, index, Buffer.from(data).toString('hex')]
  const body = parts.join('-').toUpperCase()
  return `${body}-${checksum(body).toUpperCase()}`
}

/** Every share in a text, whatever stands around them. @throws CommandError when there is none, or one was copied wrongly */
export function parseShares(text: string, where: string): RecoveryShare[] {
  const found = text.toUpperCase().match(SHARE)
  if (found === null) {
    throw new CommandError(`${where} holds no share`, { hint: `a share is one line that begins with ${PREFIX}-` })
  }
  return found.map((one) => parseShare(one, where))
}

function parseShare(text: string, where: string): RecoveryShare {
  const [, set = '', threshold, shares, index, data = '', sum = ''] = PARTS.exec(text) ?? []
  const share = {
    set: set.toLowerCase(),
    threshold: Number(threshold),
    shares: Number(shares),
    index: Number(index),
    data: Uint8Array.from(Buffer.from(data, 'hex')),
  }
  const inRange =
    share.threshold >= 2 &&
    share.threshold <= share.shares &&
    share.shares <= MAX_SHARES &&
    share.index >= 1 &&
    share.index <= share.shares
  if (inRange && checksum(text.slice(0, -1 - sum.length)) === sum.toLowerCase()) return share
  throw new CommandError(`the share in ${where} was copied wrongly: its checksum does not match`)
}

function wrong(set: string): CommandError {
  return new CommandError(`these shares do not give the recovery key ${set}: one of them is wrong`)
}
