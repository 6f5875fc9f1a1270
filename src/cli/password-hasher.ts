import type { StrongroomConfig } from '../config.ts'
import { argon2id } from '../passwords/argon2id.ts'
import { legacySchemes } from '../passwords/legacy/index.ts'
import { type RawDigestOptions, rawDigest } from '../passwords/legacy/raw-digest.ts'
import type { PasswordHasher } from '../passwords/password-hasher.ts'
import type { PepperedHasher } from '../passwords/pepper.ts'
import { openStrongroom } from '../strongroom.ts'
import { findConfig, loadConfig } from './load-config.ts'
import { CommandError } from './output.ts'
import type { Command } from './vendor.ts'

/** How the hashes of a table are named on the command line when no configuration does it. */
export interface RawOptions {
  readonly raw?: RawDigestOptions['algorithm']
  readonly salt?: 'before' | 'after'
}

type Config = StrongroomConfig

/**
 * Works with the hasher of the configuration, pepper and all; without a configuration, or with `--raw`, with one that
 * reads every scheme which says what it is.
 */
export async function withHasher<Result>(
  options: RawOptions,
  command: Command,
  work: (hasher: PasswordHasher) => Promise<Result>,
): Promise<Result> {
  const config = await configWithPasswords(options, command)
  if (config === undefined) return work(hasherWithout(options))
  return withRoomOf(config, work)
}

/** The same for a command that only looks: no KMS is asked. */
export async function withInspector<Result>(
  options: RawOptions,
  command: Command,
  work: (hasher: PasswordHasher) => Promise<Result>,
): Promise<Result> {
  const config = await configWithPasswords(options, command)
  if (config?.passwords === undefined) return work(hasherWithout(options))
  try {
    return await work(config.passwords)
  } finally {
    const providers = Array.isArray(config.kms) ? config.kms : [config.kms]
    await Promise.allSettled([...providers, config.store].map((part) => part.close?.()))
  }
}

/** Works with the pepper of the configuration. @throws CommandError when there is none */
export async function withPepperedHasher<Result>(
  command: Command,
  work: (hasher: PepperedHasher) => Promise<Result>,
): Promise<Result> {
  const config = await configWithPasswords({}, command)
  if (config === undefined) {
    throw new CommandError('a pepper needs a configuration with `passwords`', {
      exitCode: 2,
      hint: 'add `passwords: argon2id()` to strongroom.config.ts, or name the file with --config',
    })
  }
  return withRoomOf(config, work)
}

async function withRoomOf<Result>(config: Config, work: (hasher: PepperedHasher) => Promise<Result>): Promise<Result> {
  const room = await openStrongroom(config)
  try {
    return await work(room.passwords)
  } finally {
    await room.close()
  }
}

async function configWithPasswords({ raw }: RawOptions, command: Command): Promise<Config | undefined> {
  if (raw !== undefined) return undefined
  const given = command.optsWithGlobals<{ config?: string }>().config
  const path = given === undefined ? foundConfig() : findConfig(process.cwd(), given)
  const config = path === undefined ? undefined : ((await loadConfig(path)) as Config)
  return config?.passwords === undefined ? undefined : config
}

/** Nobody needs a configuration to look at a table of passwords. */
function foundConfig(): string | undefined {
  try {
    return findConfig(process.cwd())
  } catch (error) {
    if (error instanceof CommandError) return undefined
    throw error
  }
}

function hasherWithout({ raw, salt }: RawOptions): PasswordHasher {
  if (raw === undefined) {
    if (salt !== undefined) throw new CommandError('--salt goes with --raw', { exitCode: 2 })
    return argon2id()
  }
  return argon2id({ legacy: [...legacySchemes, rawDigest({ algorithm: raw, salt: salt ?? 'none' })] })
}
