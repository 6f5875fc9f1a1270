import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { createJiti } from 'jiti'
import { describe } from '../bytes.ts'
import { CommandError } from './output.ts'

/** Where the configuration is looked for, in this order. */
export const CONFIG_FILES = [
  'strongroom.config.ts',
  'strongroom.config.mts',
  'strongroom.config.js',
  'strongroom.config.mjs',
]

/**
 * Finds the configuration file.
 *
 * @param directory where to look; nowhere else, so that nobody can plant one further up
 * @param given the path from `--config`, relative to the directory
 * @throws CommandError when there is none
 */
export function findConfig(directory: string, given?: string): string {
  if (given !== undefined) {
    const path = resolve(directory, given)
    if (existsSync(path)) return path
    throw new CommandError(`there is no configuration at ${path}`, { exitCode: 2 })
  }
  const found = CONFIG_FILES.map((name) => resolve(directory, name)).find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new CommandError(`no strongroom.config.ts in ${directory}`, {
    exitCode: 2,
    hint: 'run `strongroom init`, or name the file with --config',
  })
}

/**
 * Runs a configuration file, TypeScript or JavaScript, and returns what it exports by default, or what a promise there gives.
 * Its imports of `strongroom` and `strongroom/…` are those of this program, so both speak of the same classes.
 *
 * @throws CommandError when it fails to load or exports no object
 */
export async function loadConfig(path: string): Promise<object> {
  const jiti = createJiti(path, {
    fsCache: false,
    moduleCache: false,
    interopDefault: false,
    virtualModules: ownModules,
  })
  const config = await jiti
    .import<{ default?: unknown }>(path)
    .then((module) => module.default)
    .catch((cause: unknown) => {
      throw new CommandError(`cannot load ${path}: ${cause instanceof Error ? cause.message : 'it threw'}`, { cause })
    })
  if (config === undefined) throw notConfig(path, 'has no default export')
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw notConfig(path, `exports ${describe(config)} by default`)
  }
  return config
}

function notConfig(path: string, what: string): CommandError {
  return new CommandError(`${path} ${what}: write \`export default defineStrongroom({ … })\``)
}

const ownModules = new Proxy<Record<string, unknown>>(
  {},
  {
    has: (_, id) => typeof id === 'string' && /^strongroom(\/[a-z0-9-]+)?$/.test(id),
    get: (_, id) => import(id as string),
  },
)
