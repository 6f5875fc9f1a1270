import type { Buffer } from 'node:buffer'
import type { Argon2Engine, Argon2Request } from './engine.ts'
import { type Argon2EngineName, assertEngine, loadEngine } from './load-engine.ts'

/** Computes Argon2 with whatever engine there is. */
export type Argon2Runner = (request: Argon2Request) => Promise<Buffer>

/**
 * Loads the wanted engine on first use. What it does not support (version 16, associated data) the `argon2` package
 * computes, which supports all.
 *
 * @throws InvalidInputError when `wanted` is no engine; calls reject with ConfigError when it cannot be loaded
 */
export function argon2Runner(wanted: Argon2EngineName | Argon2Engine | undefined): Argon2Runner {
  assertEngine(wanted)
  const loaded = new Map<unknown, Promise<Argon2Engine>>()
  const engine = (name: typeof wanted) => {
    const loading = loaded.get(name) ?? loadEngine(name)
    loaded.set(name, loading)
    loading.catch(() => loaded.delete(name)) // it may be installed before the next try
    return loading
  }
  return async (request) => {
    const first = await engine(wanted)
    return (first.supports(request) ? first : await engine('argon2')).hash(request)
  }
}
