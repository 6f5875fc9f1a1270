import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { defineStrongroom, type StrongroomConfig } from '../config.ts'
import { openStrongroom } from '../strongroom.ts'
import { askSecret } from './ask-secret.ts'
import { configTemplate, type PassphraseSource } from './init-template.ts'
import { CONFIG_FILES, loadConfig } from './load-config.ts'
import { CommandError, type Output } from './output.ts'
import type { Command } from './vendor.ts'

interface InitOptions {
  readonly dir: string
  readonly name?: string
  readonly passphraseFile?: string
  /** False for `--no-passphrase`. */
  readonly passphrase: boolean
  readonly force?: boolean
  readonly json?: boolean
}

/** One thing that init makes, and whether it did or found it. */
interface Made {
  readonly what: string
  readonly path?: string
  readonly id?: string
  readonly made: boolean
}

const KEY_FILE = 'strongroom.key'
const STORE_FILE = 'strongroom.keystore'
const NAME = /^[A-Za-z0-9_.-]{1,64}$/

/** `strongroom init`: makes a key file, a key store and a configuration, and the first root key. */
export function addInit(program: Command, output: Output): void {
  program
    .command('init')
    .description('make a key file, a key store and a strongroom.config.ts; what exists is left as it is')
    .option('-d, --dir <directory>', 'where to make them', '.')
    .option('-n, --name <name>', 'name of the application, part of everything it encrypts (default: the directory)')
    .option('--passphrase-file <file>', 'lock the key file by the passphrase in this file')
    .option('--no-passphrase', 'do not lock the key file: whoever can read it has the key')
    .option('--force', 'write strongroom.config.ts anew; keys are never overwritten')
    .option('--json', 'print what was made as JSON')
    .action((options: InitOptions) => init(options, output))
}

async function init(options: InitOptions, output: Output): Promise<void> {
  const directory = resolve(options.dir)
  const name = options.name ?? nameFrom(directory)
  if (!NAME.test(name)) throw new CommandError('--name must be 1 to 64 of A-Z a-z 0-9 _ . -', { exitCode: 2 })
  const { source, words } = await passphraseOf(options, directory, output)
  await mkdir(directory, { recursive: true })

  const made = [
    await makeKeyFile(join(directory, KEY_FILE), words),
    await makeKeyStore(join(directory, STORE_FILE)),
    await makeConfig(directory, configTemplate({ name, passphrase: source }), options.force === true),
  ]
  const config = await usableConfig(directory, made[2]?.made === true ? { name, words } : undefined)
  made.push(await makeRootKey(config))
  report(made, options, output)
}

/** Nothing is asked for when the key file is there already. */
async function passphraseOf(
  options: InitOptions,
  directory: string,
  output: Output,
): Promise<{ source: PassphraseSource; words?: string }> {
  const { passphraseFile, passphrase } = options
  if (passphraseFile !== undefined) {
    if (!passphrase) throw new CommandError('--passphrase-file and --no-passphrase exclude each other', { exitCode: 2 })
    const path = resolve(passphraseFile)
    const text = await readFile(path, 'utf8').catch((cause) => {
      throw new CommandError(`cannot read the passphrase file ${path}: ${cause.code}`, { exitCode: 2, cause })
    })
    return { source: { kind: 'file', path }, words: text.replace(/\r?\n$/, '') }
  }
  if (!passphrase || existsSync(join(directory, KEY_FILE))) return { source: { kind: passphrase ? 'asked' : 'none' } }
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

async function makeKeyFile(path: string, words: string | undefined): Promise<Made> {
  const what = 'key file'
  if (existsSync(path)) return { what, path, made: false }
  const { createKeyFile } = await import('strongroom/sodium')
  const { id } = await createKeyFile({ path, ...(words === undefined ? {} : { passphrase: words }) })
  return { what, path, id, made: true }
}

async function makeKeyStore(path: string): Promise<Made> {
  const { createKeyStoreFile } = await import('strongroom/file')
  return { what: 'key store', path, made: await createKeyStoreFile({ path }) }
}

async function makeConfig(directory: string, text: string, force: boolean): Promise<Made> {
  const what = 'configuration'
  const existing = CONFIG_FILES.map((file) => join(directory, file)).find((file) => existsSync(file))
  const path = existing ?? join(directory, CONFIG_FILES[0] as string)
  const overwrite = force && path.endsWith('.ts')
  if (existing !== undefined && !overwrite) return { what, path, made: false }
  await writeFile(path, text, { flag: overwrite ? 'w' : 'wx' })
  return { what, path, made: true }
}

/** The configuration as it will run; one that was just made gets the passphrase that was just given. */
async function usableConfig(
  directory: string,
  fresh?: { name: string; words?: string | undefined },
): Promise<StrongroomConfig> {
  const path = CONFIG_FILES.map((file) => join(directory, file)).find((file) => existsSync(file)) as string
  const config = defineStrongroom((await loadConfig(path)) as StrongroomConfig)
  if (fresh?.words === undefined) return config
  const { sodiumKms } = await import('strongroom/sodium')
  return { ...config, kms: sodiumKms({ path: join(directory, KEY_FILE), passphrase: fresh.words }) }
}

async function makeRootKey(config: StrongroomConfig): Promise<Made> {
  const what = 'root key'
  const [existing] = await config.store.findActive('root', [''])
  if (existing !== undefined) {
    await config.store.close?.()
    return { what, id: existing.id, made: false }
  }
  const room = await openStrongroom(config, { init: true })
  try {
    const [root] = await config.store.findActive('root', [''])
    return { what, made: true, ...(root === undefined ? {} : { id: root.id }) }
  } finally {
    await room.close()
  }
}

function report(made: readonly Made[], options: InitOptions, output: Output): void {
  if (options.json === true) output.json({ directory: resolve(options.dir), made })
  else for (const item of made) output.result(lineOf(item, output))
  if (!made.some((item) => item.made)) return
  const key = made[0] as Made
  if (key.made) {
    output.hint(
      `copy ${key.path} to a safe place${options.passphrase ? ', and its passphrase to another' : ''}: without it all data is lost`,
    )
    output.hint(`keep ${KEY_FILE} and ${STORE_FILE} out of version control`)
  }
}

function lineOf({ what, path, id, made }: Made, { colours }: Output): string {
  const verb = made ? colours.green('made   ') : colours.dim('exists ')
  return `${verb} ${what.padEnd(14)} ${[path, id].filter((part) => part !== undefined).join('  ')}`
}

function nameFrom(directory: string): string {
  const name = basename(directory)
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .slice(0, 64)
  return NAME.test(name) ? name : 'app'
}
