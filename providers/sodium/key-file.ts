import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { encodeBase64url, parseBase64url } from '../../src/base64url.ts'
import { lengthPrefixed } from '../../src/bytes.ts'
import { hkdfExpand } from '../../src/crypto/kdf.ts'
import { KeyFileError } from '../../src/errors.ts'
import { encodeKeyText, parseKeyText } from './key-text.ts'
import { BOX_LENGTH, isAllowedCost, type LockedKey, SALT_LENGTH } from './passphrase-lock.ts'

/** What a key file says. `key` is a text of the key itself, or the key locked by a passphrase. */
export interface KeyFile {
  /** 32 hexadecimal characters, derived from the key: what wrapped keys name. */
  readonly id: string
  readonly created: string
  readonly key: Buffer | LockedKey
}

const FORMAT = 'strongroom-key-file'
const MAX_BYTES = 16_384
const ID_LABEL = 'strongroom/v1/key-file/id'

/** The id of a key: it commits to the key, so that no second key has it. */
export function idOf(key: Uint8Array): string {
  return hkdfExpand(key, ID_LABEL, 16).toString('hex')
}

/** What a passphrase lock is bound to. */
export function lockHeader(id: string, created: string): Buffer {
  return lengthPrefixed([FORMAT, '1', id, created])
}

export function encodeKeyFile({ id, created, key }: KeyFile): string {
  const content = Buffer.isBuffer(key)
    ? { key: encodeKeyText('secretKey', key) }
    : { argon2id: key.cost, salt: encodeBase64url(key.salt), box: encodeBase64url(key.box) }
  const fields = { [FORMAT]: 1, id, created, ...content }
  return `${JSON.stringify({ ...fields, checksum: checksumOf(fields) }, null, 2)}\n`
}

/** @returns undefined unless it is exactly what `encodeKeyFile` writes */
export function parseKeyFile(text: string): KeyFile | undefined {
  const { checksum, ...fields } = parseObject(text)
  const { [FORMAT]: version, id, created } = fields
  if (version !== 1 || checksum !== checksumOf(fields) || !isText(id, 32) || !isText(created, 24)) return undefined
  const key = isText(fields.key, 57) ? parseKeyText('secretKey', fields.key) : parseLocked(fields)
  if (key === undefined) return undefined
  const file = { id, created, key }
  return encodeKeyFile(file) === text ? file : undefined
}

/**
 * Reads a key file, and refuses one that others can read.
 *
 * @throws KeyFileError `missing`, `permissions`, `damaged`
 */
export function readKeyFile(path: string): KeyFile {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new KeyFileError(
        'missing',
        `there is no key file at ${path}: check the path, or make one with \`strongroom init\``,
        { cause },
      )
    throw new KeyFileError('permissions', `the key file ${path} cannot be read: ${code}`, { cause })
  }
  try {
    const { mode, size } = fstatSync(descriptor)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(3, '0')
      throw new KeyFileError(
        'permissions',
        `the key file ${path} is open to others (mode ${octal}): type \`chmod 600 ${path}\`, and replace the key if somebody may have read it`,
      )
    }
    const file = size > MAX_BYTES ? undefined : parseKeyFile(readFileSync(descriptor, 'utf8'))
    if (file === undefined) throw damaged(path)
    if (Buffer.isBuffer(file.key) && idOf(file.key) !== file.id) throw damaged(path)
    return file
  } finally {
    closeSync(descriptor)
  }
}

/** The file is not what it was when it was made. */
export function damaged(path: string): KeyFileError {
  return new KeyFileError('damaged', `the key file ${path} is damaged: restore it from your copy`)
}

function parseLocked(fields: Record<string, unknown>): LockedKey | undefined {
  const { memoryKiB, passes, parallelism } = (fields.argon2id ?? {}) as Record<string, number>
  const cost = { memoryKiB, passes, parallelism } as LockedKey['cost']
  const salt = isText(fields.salt, 22) ? parseBase64url(fields.salt) : undefined
  const box = isText(fields.box, 96) ? parseBase64url(fields.box) : undefined
  if (!isAllowedCost(cost) || salt?.byteLength !== SALT_LENGTH || box?.byteLength !== BOX_LENGTH) return undefined
  return { cost, salt, box }
}

/** Tells damage from a wrong passphrase; it is no protection, for anybody can compute it. */
function checksumOf(fields: object): string {
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, 16)
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

function isText(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length === length
}
