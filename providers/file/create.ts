import { resolve } from 'node:path'
import { assertFilled, assertObject } from '../../src/bytes.ts'
import { KeyStoreError } from '../../src/errors.ts'
import { createFile } from './create-file.ts'
import { encodeStore } from './store-file.ts'

/**
 * Makes an empty key store in one file, readable by its owner alone.
 *
 * @param options.path where; its directory must exist
 * @returns false when a file is there already, which is left as it is
 * @throws KeyStoreError `misconfigured` when the file cannot be made
 */
export async function createKeyStoreFile(options: { readonly path: string }): Promise<boolean> {
  assertObject(options, 'the options')
  assertFilled(options.path, 'path')
  const path = resolve(options.path)
  return createFile(path, encodeStore([], [], 0)).catch((cause: NodeJS.ErrnoException) => {
    throw new KeyStoreError('misconfigured', `cannot make a key store at ${path}: ${cause.code ?? 'unknown error'}`, {
      cause,
    })
  })
}
