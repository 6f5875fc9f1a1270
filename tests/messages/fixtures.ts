import { Buffer } from 'node:buffer'
import { generateKeyPairSync } from 'node:crypto'
import { rawAes, rawRsa } from 'strongroom/raw'
import type { KmsProvider } from '../../src/kms.ts'
import { sealFrame } from '../../src/messages/frames.ts'
import { parseHeader } from '../../src/messages/header.ts'
import { createMaterials, type StartedMessage, startMessage } from '../../src/messages/seal.ts'
import { planSeal, type SealOptions } from '../../src/messages/seal-options.ts'

export const AES_KEY: Buffer = Buffer.alloc(32, 7)
/** Two providers with different names and keys. */
export const ada: KmsProvider = rawAes({ namespace: 'tests', name: 'ada', key: AES_KEY })
export const bob: KmsProvider = rawAes({ namespace: 'tests', name: 'bob', key: Buffer.alloc(32, 8) })

export const rsaPair = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const rsaPublic: KmsProvider = rawRsa({ namespace: 'tests', name: 'rsa', publicKey: rsaPair.publicKey })
export const rsaBoth: KmsProvider = rawRsa({
  namespace: 'tests',
  name: 'rsa',
  publicKey: rsaPair.publicKey,
  privateKey: rsaPair.privateKey,
})

/** Limits that accept whatever the format allows. */
export const LIMITS = { maxRecipients: 0xffff, maxFrameLength: 0xffffffff }

/** A message whose header is right, and whose body the test writes itself. */
export async function begin(options: SealOptions = {}, kms: KmsProvider = ada): Promise<StartedMessage> {
  const plan = planSeal(options)
  return startMessage(await createMaterials([kms], plan, undefined), plan.frameLength)
}

/** One frame as the writer makes it. */
export function frame(
  message: StartedMessage,
  kind: 'regular' | 'final',
  seq: number,
  plaintext: string | Uint8Array,
): Buffer {
  const bytes = Buffer.from(plaintext as string)
  const out = Buffer.alloc(bytes.length + 64)
  return out.subarray(0, sealFrame(message.cipher, kind, seq, bytes, out, 0))
}

export function headerLength(message: Buffer): number {
  return parseHeader(message, LIMITS).length
}

/** A provider that counts, and that fails or answers as told. */
export function watched(
  inner: KmsProvider,
  change: Partial<KmsProvider> = {},
): KmsProvider & { wraps: number; unwraps: number } {
  const outer = {
    ...inner,
    wraps: 0,
    unwraps: 0,
    wrap(...args: Parameters<KmsProvider['wrap']>) {
      outer.wraps++
      return (change.wrap ?? inner.wrap)(...args)
    },
    unwrap(...args: Parameters<KmsProvider['unwrap']>) {
      outer.unwraps++
      return (change.unwrap ?? inner.unwrap)(...args)
    },
    ...(change.accepts && { accepts: change.accepts }),
  }
  return outer
}

/** Deterministic bytes, different at every position of a frame. */
export function pattern(length: number): Buffer {
  const out = Buffer.alloc(length)
  for (let i = 0; i < length; i++) out[i] = (i * 31 + (i >> 8) * 7) & 255
  return out
}
