import { Buffer } from 'node:buffer'
import { resolve } from 'node:path'
import { assertFilled, assertObject } from '../../src/bytes.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { InvalidInputError, KeyFileError } from '../../src/errors.ts'
import { createFile } from '../file/create-file.ts'
import { encodeKeyFile, idOf, lockHeader } from './key-file.ts'
import { type Argon2Cost, assertPassphrase, DEFAULT_COST, isAllowedCost, lockKey } from './passphrase-lock.ts'

/** Where the key file is to be, and how it is locked. */
export interface CreateKeyFileOptions {
  /** Where; its directory must exist. */
  readonly path: string
  /** Locks the key: 1 to 1,024 characters. Without one, whoever can read the file has the key. */
  readonly passphrase?: string
  /** What deriving a key from the passphrase costs, 128 MiB and 3 passes by default. */
  readonly cost?: Argon2Cost
}

/**
 * Makes a key file with a fresh random key, readable by its owner alone. Keep a copy of it elsewhere: without the key,
 * everything under it is lost.
 *
 * @returns the id of the key
 * @throws KeyFileError `exists` when there is a file already, which is left as it is
 * @throws InvalidInputError
 */
export async function createKeyFile(options: CreateKeyFileOptions): Promise<{ id: string }> {
  assertObject(options, 'the options')
  const { passphrase, cost = DEFAULT_COST } = options
  assertFilled(options.path, 'path')
  if (passphrase !== undefined) assertPassphrase(passphrase)
  if (!isAllowedCost(cost))
    throw new InvalidInputError('cost must be within 19 MiB to 1 GiB, 2 to 16 passes, 1 to 16 lanes')
  const path = resolve(options.path)
  const key = randomBytes(32)
  try {
    const id = idOf(key)
    const created = new Date().toISOString()
    const content = passphrase === undefined ? key : await lockKey(key, passphrase, lockHeader(id, created), cost)
    const made = await createFile(path, [Buffer.from(encodeKeyFile({ id, created, key: content }))])
    if (!made) throw new KeyFileError('exists', `there is a file at ${path} already: it was left as it is`)
    return { id }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (cause instanceof KeyFileError || code === undefined) throw cause
    const fault = code === 'ENOENT' ? 'missing' : 'permissions'
    throw new KeyFileError(fault, `cannot make a key file at ${path}: ${code}`, { cause })
  } finally {
    key.fill(0)
  }
}
