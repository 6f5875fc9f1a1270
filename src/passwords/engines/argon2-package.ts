import { asBuffer } from '../../bytes.ts'
import type { Argon2Engine } from '../engine.ts'

/** The engine of the package `argon2`, a dependency with prebuilt binaries: the one that is always there. */
export async function loadArgon2Package(): Promise<Argon2Engine | undefined> {
  const library = await import('argon2').then(
    (module) => module.default,
    () => undefined,
  )
  if (library === undefined) return undefined
  return {
    name: 'argon2',
    supports: () => true,
    hash: (request) =>
      library.hash(asBuffer(request.password), {
        raw: true,
        type: library[request.type],
        version: request.version,
        memoryCost: request.memoryKiB,
        timeCost: request.passes,
        parallelism: request.parallelism,
        hashLength: request.hashLength,
        salt: asBuffer(request.salt),
        ...(request.secret && { secret: asBuffer(request.secret) }),
        ...(request.associatedData && { associatedData: asBuffer(request.associatedData) }),
      }),
  }
}
