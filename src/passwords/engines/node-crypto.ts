import type { Buffer } from 'node:buffer'
import crypto from 'node:crypto'
import type { Argon2Engine, Argon2Request } from '../engine.ts'

/** `crypto.argon2` of Node.js 24.7, which the types of older versions do not know. */
type NodeArgon2 = (
  algorithm: string,
  parameters: {
    message: Uint8Array
    nonce: Uint8Array
    parallelism: number
    tagLength: number
    memory: number
    passes: number
    secret?: Uint8Array
    associatedData?: Uint8Array
  },
  callback: (error: Error | null, hash: Buffer) => void,
) => void

/** The engine inside Node.js, where this Node.js has one. */
export async function loadNodeCrypto(): Promise<Argon2Engine | undefined> {
  const { argon2 } = crypto as { argon2?: NodeArgon2 }
  return argon2 === undefined ? undefined : nodeCryptoEngine(argon2)
}

/** The engine over a function shaped like Node's. It knows version 1.3 alone. */
export function nodeCryptoEngine(argon2: NodeArgon2): Argon2Engine {
  return {
    name: 'node',
    supports: (request) => request.version === 19,
    hash: (request) =>
      new Promise((resolve, reject) => {
        argon2(request.type, parameters(request), (error, hash) => (error === null ? resolve(hash) : reject(error)))
      }),
  }
}

function parameters(request: Argon2Request): Parameters<NodeArgon2>[1] {
  return {
    message: request.password,
    nonce: request.salt,
    parallelism: request.parallelism,
    tagLength: request.hashLength,
    memory: request.memoryKiB,
    passes: request.passes,
    ...(request.secret && { secret: request.secret }),
    ...(request.associatedData && { associatedData: request.associatedData }),
  }
}
