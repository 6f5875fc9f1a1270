import type { Options } from '@node-rs/argon2'
import type { Argon2Engine } from '../engine.ts'

const ALGORITHM = { argon2d: 0, argon2i: 1, argon2id: 2 } as const
const VERSION = { 16: 0, 19: 1 } as const

/** The engine of the package `@node-rs/argon2`, where it is installed. It takes no associated data. */
export async function loadNodeRs(): Promise<Argon2Engine | undefined> {
  const library = await import('@node-rs/argon2').catch(() => undefined)
  if (library === undefined) return undefined
  return {
    name: '@node-rs/argon2',
    supports: (request) => request.associatedData === undefined || request.associatedData.byteLength === 0,
    hash: (request) =>
      library.hashRaw(request.password, {
        // Plain numbers: the enums of its types do not exist at run time.
        algorithm: ALGORITHM[request.type] as NonNullable<Options['algorithm']>,
        version: VERSION[request.version] as NonNullable<Options['version']>,
        memoryCost: request.memoryKiB,
        timeCost: request.passes,
        parallelism: request.parallelism,
        outputLen: request.hashLength,
        salt: request.salt,
        ...(request.secret && { secret: request.secret }),
      }),
  }
}
