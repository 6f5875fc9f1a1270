import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { askSecret } from './ask-secret.ts'
import type { PassphraseSource } from './init-template.ts'
import { CommandError, type Output } from './output.ts'

/** How init was told to lock the key file. */
export interface PassphraseOptions {
  readonly passphraseFile?: string
  /** False for `--no-passphrase`. */
  readonly passphrase: boolean
}

/** What locks the key file, and how the configuration is to get it. */
export interface Passphrase {
  readonly source: PassphraseSource
  readonly words?: string
}

/** Asks on a terminal unless the options say enough. Nothing is asked for when there is no key file to make. */
export async function passphraseOf(options: PassphraseOptions, isMade: boolean, output: Output): Promise<Passphrase> {
  const { passphraseFile, passphrase } = options
  if (passphraseFile !== undefined) {
    if (!passphrase) throw new CommandError('--passphrase-file and --no-passphrase exclude each other', { exitCode: 2 })
    const path = resolve(passphraseFile)
    const text = await readFile(path, 'utf8').catch((cause) => {
      throw new CommandError(`cannot read the passphrase file ${path}: ${cause.code}`, { exitCode: 2, cause })
    })
    return { source: { kind: 'file', path }, words: text.replace(/\r?\n$/, '') }
  }
  if (!passphrase || !isMade) return { source: { kind: passphrase ? 'asked' : 'none' } }
  if (output.stdin.isTTY !== true) {
    throw new CommandError('there is no terminal to ask for a passphrase', {
      exitCode: 2,
      hint: 'use --passphrase-file FILE, or --no-passphrase for a key file that is not locked',
    })
  }
  const words = await askSecret(output, 'passphrase for the key file')
  if (words !== (await askSecret(output, 'once more'))) throw new CommandError('the two differ: nothing was made')
  return { source: { kind: 'asked' }, words }
}
