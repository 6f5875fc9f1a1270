import { describe } from '../bytes.ts'
import { ConfigError, InvalidInputError } from '../errors.ts'
import type { Argon2Engine } from './engine.ts'
import { loadArgon2Package } from './engines/argon2-package.ts'
import { loadNodeCrypto } from './engines/node-crypto.ts'
import { loadNodeRs } from './engines/node-rs.ts'
import { selfTest } from './self-test.ts'

/** The engines that come with Strongroom. */
export type Argon2EngineName = '@node-rs/argon2' | 'argon2' | 'node'

/** The fastest first: `npm run bench` shows by how much. Each resolves to undefined when it is not to be had here. */
const loaders: readonly [Argon2EngineName, () => Promise<Argon2Engine | undefined>][] = [
  ['@node-rs/argon2', loadNodeRs],
  ['argon2', loadArgon2Package],
  ['node', loadNodeCrypto],
]

const hints: Record<Argon2EngineName, string> = {
  '@node-rs/argon2': 'install it with `npm install @node-rs/argon2`',
  argon2: 'its prebuilt binary does not load on this platform',
  node: 'use a Node.js whose node:crypto has argon2 (24.7 or newer)',
}

/** The names of the engines, the one that is preferred first. */
export const argon2EngineNames: readonly Argon2EngineName[] = loaders.map(([name]) => name)

/**
 * Finds an engine and proves it on a known answer before its first use.
 *
 * @param wanted one of the names, an engine of your own, or undefined for the fastest that is here
 * @throws ConfigError when the engine is not here, or computes a wrong answer
 */
export async function loadEngine(wanted: Argon2EngineName | Argon2Engine | undefined): Promise<Argon2Engine> {
  if (typeof wanted === 'object') return tested(wanted)
  for (const [name, load] of loaders) {
    if (wanted !== undefined && wanted !== name) continue
    const engine = await load()
    if (engine !== undefined) return tested(engine)
    if (wanted !== undefined) throw new ConfigError(`the Argon2 engine ${name} cannot be loaded: ${hints[name]}`)
  }
  throw new ConfigError('no Argon2 engine can be loaded: install @node-rs/argon2')
}

/** @throws InvalidInputError when it is neither a known name nor shaped like an engine */
export function assertEngine(wanted: unknown): void {
  if (wanted === undefined || argon2EngineNames.includes(wanted as Argon2EngineName)) return
  const engine = wanted as Partial<Argon2Engine> | null
  if (typeof engine === 'object' && typeof engine?.hash === 'function' && typeof engine.supports === 'function') return
  throw new InvalidInputError(
    `engine must be ${argon2EngineNames.map((name) => `'${name}'`).join(', ')} or an engine of your own, received ${describe(wanted)}`,
  )
}

async function tested(engine: Argon2Engine): Promise<Argon2Engine> {
  await selfTest(engine)
  return engine
}
