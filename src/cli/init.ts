import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { defineStrongroom, type StrongroomConfig } from '../config.ts'
import { openStrongroom } from '../strongroom.ts'
import { type PassphraseOptions, passphraseOf } from './init-passphrase.ts'
import { configTemplate } from './init-template.ts'
import { keyTablesSql, makeKeyTables } from './key-tables.ts'
import { CONFIG_FILES, findConfig, loadConfig } from './load-config.ts'
import { CommandError, type Output } from './output.ts'
import type { Command } from './vendor.ts'

interface InitOptions extends PassphraseOptions {
  readonly dir: string
  readonly name?: string
  readonly force?: true
  readonly print?: true
  readonly json?: true
}

/** One thing that init makes, and whether it did or found it. */
interface Made {
  readonly what: string
  readonly path?: string
  readonly name?: string
  readonly id?: string
  readonly made: boolean
}

/** A configuration that was there before. */
interface Existing {
  readonly path: string
  readonly config: StrongroomConfig
}

const KEY_FILE = 'strongroom.key'
const FIRST_CONFIG = 'strongroom.config.ts'
const STORE_FILE = 'strongroom.keystore'
const NAME = /^[A-Za-z0-9_.-]{1,64}$/

/** `strongroom init`: makes what a configuration needs, itself if there is none, and the first root key. */
export function addInit(program: Command, output: Output): void {
  program
    .command('init')
    .description(
      'make a key file, a key store and a strongroom.config.ts, or what an existing configuration needs, such as the tables of its key store; what exists is left as it is',
    )
    .option('-d, --dir <directory>', 'where to make them', '.')
    .option('-n, --name <name>', 'name of the application, part of everything it encrypts (default: the directory)')
    .option('--passphrase-file <file>', 'lock the key file by the passphrase in this file')
    .option('--no-passphrase', 'do not lock the key file: whoever can read it has the key')
    .option('--force', 'write strongroom.config.ts anew; keys are never overwritten')
    .option('--print', 'only print the SQL that makes the tables of the configured key store')
    .option('--json', 'print what was made as JSON')
    .action((options: InitOptions, command: Command) =>
      init(options, command.optsWithGlobals<{ config?: string }>().config, output),
    )
}

async function init(options: InitOptions, given: string | undefined, output: Output): Promise<void> {
  const directory = resolve(options.dir)
  const name = options.name ?? nameFrom(directory)
  if (!NAME.test(name)) throw new CommandError('--name must be 1 to 64 of A-Z a-z 0-9 _ . -', { exitCode: 2 })
  if (options.force && (options.print || given !== undefined)) {
    throw new CommandError('--force writes a configuration anew: it excludes --print and --config', { exitCode: 2 })
  }
  const existing = await existingConfig(directory, given, options.force === true)
  if (options.print) return printTables(existing, directory, output)

  const keyFile = join(directory, KEY_FILE)
  const usesKeyFile = existing === undefined || isOpenedBy(existing.config, keyFile)
  const { source, words } = await passphraseOf(options, usesKeyFile && !existsSync(keyFile), output)
  await mkdir(directory, { recursive: true })
  const made = [
    ...(usesKeyFile ? [await makeKeyFile(keyFile, words)] : []),
    ...(await makeKeyStore(existing?.config, join(directory, STORE_FILE))),
    existing === undefined
      ? await writeConfig(directory, configTemplate({ name, passphrase: source }), options.force === true)
      : { what: 'configuration', path: existing.path, made: false },
  ]
  const config = existing?.config ?? (await firstConfig(directory, words))
  made.push(await makeRootKey(config))
  report(made, options, output)
}

/** The configuration that is named, or that stands in the directory and is not to be written anew. */
async function existingConfig(
  directory: string,
  given: string | undefined,
  force: boolean,
): Promise<Existing | undefined> {
  const path = given === undefined ? configIn(directory) : findConfig(process.cwd(), given)
  if (path === undefined || (force && path.endsWith(FIRST_CONFIG))) return undefined
  return { path, config: defineStrongroom((await loadConfig(path)) as StrongroomConfig) }
}

function configIn(directory: string): string | undefined {
  return CONFIG_FILES.map((file) => join(directory, file)).find((file) => existsSync(file))
}

async function printTables(existing: Existing | undefined, directory: string, output: Output): Promise<void> {
  if (existing === undefined) {
    throw new CommandError(`no strongroom.config.ts in ${directory} names a key store`, {
      exitCode: 2,
      hint: 'write one with `store: postgresKeyStore({ … })` first, or name it with --config',
    })
  }
  output.result(keyTablesSql(existing.config.store))
}

/** Whether a key file is wanted there: the configuration opens one, and it is this one or not made yet. */
function isOpenedBy({ kms }: StrongroomConfig, keyFile: string): boolean {
  const local = [kms].flat().filter((provider) => provider.name === 'sodium')
  return local.some((provider) => existsSync(keyFile) || !hasKey(provider))
}

/** A local key service knows its key once its file is there. */
function hasKey(provider: { readonly keyId: string }): boolean {
  try {
    return provider.keyId !== ''
  } catch {
    return false
  }
}

async function makeKeyFile(path: string, words: string | undefined): Promise<Made> {
  const what = 'key file'
  if (existsSync(path)) return { what, path, made: false }
  const { createKeyFile } = await import('strongroom/sodium')
  const { id } = await createKeyFile({ path, ...(words === undefined ? {} : { passphrase: words }) })
  return { what, path, id, made: true }
}

/** Stores of other kinds are made where they are: a table of DynamoDB, say, by whoever owns the account. */
async function makeKeyStore(config: StrongroomConfig | undefined, path: string): Promise<Made[]> {
  const store = config?.store
  if (store?.tables !== undefined) return [{ what: 'tables', name: store.name, made: await makeKeyTables(store) }]
  if (store !== undefined && store.name !== 'file') return []
  const { createKeyStoreFile } = await import('strongroom/file')
  return [{ what: 'key store', path, made: await createKeyStoreFile({ path }) }]
}

async function writeConfig(directory: string, text: string, force: boolean): Promise<Made> {
  const path = join(directory, FIRST_CONFIG)
  await writeFile(path, text, { flag: force ? 'w' : 'wx' })
  return { what: 'configuration', path, made: true }
}

/** The configuration that was just written, opened by the passphrase that was just given. */
async function firstConfig(directory: string, words: string | undefined): Promise<StrongroomConfig> {
  const config = defineStrongroom((await loadConfig(join(directory, FIRST_CONFIG))) as StrongroomConfig)
  if (words === undefined) return config
  const { sodiumKms } = await import('strongroom/sodium')
  return { ...config, kms: sodiumKms({ path: join(directory, KEY_FILE), passphrase: words }) }
}

async function makeRootKey(config: StrongroomConfig): Promise<Made> {
  const what = 'root key'
  try {
    const [existing] = await config.store.findActive('root', [''])
    if (existing !== undefined) return { what, id: existing.id, made: false }
    const room = await openStrongroom(config, { init: true })
    const [root] = await config.store.findActive('root', ['']).finally(() => room.close())
    return { what, made: true, ...(root === undefined ? {} : { id: root.id }) }
  } finally {
    await config.store.close?.()
  }
}

function report(made: readonly Made[], options: InitOptions, output: Output): void {
  if (options.json) output.json({ directory: resolve(options.dir), made })
  else for (const item of made) output.result(lineOf(item, output))
  const key = made.find((item) => item.what === 'key file')
  if (key?.made !== true) return
  output.hint(
    `copy ${key.path} to a safe place${options.passphrase ? ', and its passphrase to another' : ''}: without it all data is lost`,
  )
  const secret = made.some((item) => item.what === 'key store') ? `${KEY_FILE} and ${STORE_FILE}` : KEY_FILE
  output.hint(`keep ${secret} out of version control`)
}

function lineOf({ what, path, name, id, made }: Made, { colours }: Output): string {
  const verb = made ? colours.green('made   ') : colours.dim('exists ')
  return `${verb} ${what.padEnd(14)} ${[path, name, id].filter((part) => part !== undefined).join('  ')}`
}

function nameFrom(directory: string): string {
  const name = basename(directory)
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .slice(0, 64)
  return NAME.test(name) ? name : 'app'
}
