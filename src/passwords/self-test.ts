import { Buffer } from 'node:buffer'
import { equalBytes } from '../bytes.ts'
import { ConfigError } from '../errors.ts'
import type { Argon2Engine, Argon2Request } from './engine.ts'

/** RFC 9106 section 5.3: the Argon2id test vector. */
const RFC_9106 = {
  request: {
    type: 'argon2id',
    version: 19,
    memoryKiB: 32,
    passes: 3,
    parallelism: 4,
    hashLength: 32,
    password: Buffer.alloc(32, 1),
    salt: Buffer.alloc(16, 2),
    secret: Buffer.alloc(8, 3),
    associatedData: Buffer.alloc(12, 4),
  },
  hash: '0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659',
} as const satisfies { request: Argon2Request; hash: string }

/** The same inputs for engines that take no associated data; the answer of the C and the Rust implementation. */
const { associatedData: _, ...withoutData } = RFC_9106.request
const WITHOUT_DATA = {
  request: withoutData,
  hash: '0034de3c8a75efc1148100eaf5ba9b1ce6d50ba5cdf6ae4018c54a4fc03ac10d',
} as const satisfies { request: Argon2Request; hash: string }

/**
 * Computes one known answer, in less than a millisecond, so that a miscompiled or tampered engine hashes no password.
 *
 * @throws ConfigError when the answer is wrong
 */
export async function selfTest(engine: Argon2Engine): Promise<void> {
  const { request, hash } = engine.supports(RFC_9106.request) ? RFC_9106 : WITHOUT_DATA
  const computed = await engine.hash(request)
  if (!equalBytes(computed, Buffer.from(hash, 'hex'))) {
    throw new ConfigError(`the Argon2 engine ${engine.name} computes wrong hashes: do not use it`)
  }
}
