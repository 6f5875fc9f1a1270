import type { Argon2Engine, Argon2Request } from '../../src/passwords/engine.ts'
import { loadArgon2Package } from '../../src/passwords/engines/argon2-package.ts'

/** Parameters that keep a test fast. */
export const small = { memoryKiB: 1024, passes: 1, parallelism: 1, dangerouslyAllowBelowOwaspMinimum: true } as const

/** A real engine that writes down what it was asked for, the self-test aside. */
export async function countingEngine(): Promise<{ engine: Argon2Engine; requests: Argon2Request[] }> {
  const real = (await loadArgon2Package()) as Argon2Engine
  const requests: Argon2Request[] = []
  const engine: Argon2Engine = {
    name: 'counting',
    supports: () => true,
    hash: (request) => {
      if (request.secret === undefined) requests.push({ ...request, password: Uint8Array.from(request.password) })
      return real.hash(request)
    },
  }
  return { engine, requests }
}

/** What one computation costs, to compare the work of two calls. */
export function costOf({ type, version, memoryKiB, passes, parallelism, hashLength, password, salt }: Argon2Request) {
  const lengths = { hashLength, password: password.byteLength, salt: salt.byteLength }
  return { type, version, memoryKiB, passes, parallelism, ...lengths }
}
