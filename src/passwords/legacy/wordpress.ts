import { Buffer } from 'node:buffer'
import { createHmac } from 'node:crypto'
import type { LegacyScheme } from '../stored-hash.ts'
import { parseBcrypt } from './bcrypt.ts'

const PREFIX = '$wp'
const KEY = 'wp-sha384'
const PHP_SPACE = new Set([...' \t\n\r\0\v'].map((character) => character.charCodeAt(0)))

/**
 * WordPress 6.8 and newer: `$wp$2y$10$…`, bcrypt over the base64 of an HMAC-SHA-384. Older hashes are `phpass`.
 * Trap: WordPress trims white space from both ends of the password first.
 */
export const wordpress: LegacyScheme = {
  name: 'wordpress',
  parse: (stored) =>
    stored.startsWith(`${PREFIX}$`)
      ? parseBcrypt(stored.slice(PREFIX.length), 'wordpress-bcrypt', stored, prehash)
      : undefined,
}

function prehash(password: Buffer): Buffer {
  return Buffer.from(createHmac('sha384', KEY).update(trim(password)).digest('base64'), 'latin1')
}

function trim(password: Buffer): Buffer {
  let start = 0
  let end = password.byteLength
  while (start < end && PHP_SPACE.has(password[start] as number)) start++
  while (end > start && PHP_SPACE.has(password[end - 1] as number)) end--
  return password.subarray(start, end)
}
