import { Buffer } from 'node:buffer'
import { sign } from 'node:crypto'
import { asBuffer, wipe } from '../bytes.ts'
import { encodePairs, PUBLIC_KEY_NAME, sortPairs } from '../crypto/context-pairs.ts'
import { randomBytes, randomInto } from '../crypto/random.ts'
import type { KmsProvider } from '../kms.ts'
import { deriveKeys } from './derivation.ts'
import { FINAL_OVERHEAD, frameCount, REGULAR_OVERHEAD } from './frame-layout.ts'
import { type FrameCipher, frameCipher, headerTag, sealFrame } from './frames.ts'
import { COMMITMENT, encodeHeader, MESSAGE_ID, TAG, ZERO_IV } from './header.ts'
import { wrapForAll } from './recipients.ts'
import type { SealPlan } from './seal-options.ts'
import { createSigningKey, type SigningKey } from './signature.ts'
import type { Suite } from './suites.ts'

/** What seals messages: a data key, and a header for its recipients. */
export interface SealMaterials {
  readonly suite: Suite
  readonly dataKey: Buffer
  readonly template: Buffer
  readonly unstored: Uint8Array
  readonly signing: SigningKey | undefined
}

/** One message whose header is made: what its frames are sealed with. The caller wipes `cipher.key`. */
export interface StartedMessage {
  readonly header: Buffer
  readonly cipher: FrameCipher
  readonly frameLength: number
  readonly signing: SigningKey | undefined
}

/** A fresh data key, wrapped for every provider: one call to each. */
export async function createMaterials(
  providers: readonly KmsProvider[],
  plan: SealPlan,
  signal: AbortSignal | undefined,
): Promise<SealMaterials> {
  signal?.throwIfAborted()
  const signing = plan.suite.signature === undefined ? undefined : createSigningKey()
  const dataKey = randomBytes(plan.suite.keyLength)
  try {
    const context: Record<string, string> = { ...plan.context }
    const stored = [...plan.stored]
    if (signing !== undefined) {
      context[PUBLIC_KEY_NAME] = signing.publicKey
      stored.push([Buffer.from(PUBLIC_KEY_NAME), Buffer.from(signing.publicKey)])
      sortPairs(stored)
    }
    const recipients = await wrapForAll(providers, dataKey, context, signal)
    const template = asBuffer(encodeHeader(plan.suite.id, encodePairs(stored, 0xffff), recipients, plan.frameLength))
    return { suite: plan.suite, dataKey, template, unstored: plan.unstored, signing }
  } catch (error) {
    wipe(dataKey)
    throw error
  }
}

/** Makes the header of one message. `messageId` is given by tests alone; it must never repeat under one data key. */
export function startMessage(materials: SealMaterials, frameLength: number, messageId?: Uint8Array): StartedMessage {
  const header = Buffer.allocUnsafe(materials.template.length + TAG)
  const { suite, key, messageId: id } = writeHeader(materials, frameLength, header, messageId)
  // The header is handed out, and whoever gets it may write to it; the id goes into every frame.
  return { header, cipher: frameCipher(suite, key, Buffer.from(id)), frameLength, signing: materials.signing }
}

/** Seals a whole message in memory. Runs without a pause, so cached materials cannot be wiped under it. */
export function sealBytes(
  materials: SealMaterials,
  plaintext: Uint8Array,
  frameLength: number,
  messageId?: Uint8Array,
): Buffer {
  const frames = frameCount(plaintext.byteLength, frameLength)
  const { signing, template } = materials
  const bodyLength = (frames - 1) * REGULAR_OVERHEAD + FINAL_OVERHEAD + plaintext.byteLength
  const out = Buffer.allocUnsafe(template.length + TAG + bodyLength)
  const cipher = writeHeader(materials, frameLength, out, messageId)
  let at = template.length + TAG
  for (let seq = 1; seq < frames; seq++) {
    const from = (seq - 1) * frameLength
    at = sealFrame(cipher, 'regular', seq, plaintext.subarray(from, from + frameLength), out, at)
  }
  sealFrame(cipher, 'final', frames, plaintext.subarray((frames - 1) * frameLength), out, at)
  wipe(cipher.key)
  return signing === undefined ? out : Buffer.concat([out, footer(sign('sha384', out, signing.privateKey))])
}

/** The footer of a signed message: u16 length, then the signature in DER. */
export function footer(signature: Buffer): Buffer {
  const out = Buffer.alloc(2 + signature.length)
  signature.copy(out, out.writeUInt16BE(signature.length, 0))
  return out
}

/** Writes the header to the start of `out`, and returns what its frames are sealed with. */
function writeHeader(
  { suite, template, dataKey, unstored }: SealMaterials,
  frameLength: number,
  out: Buffer,
  messageId: Uint8Array | undefined,
): FrameCipher {
  template.copy(out)
  if (messageId === undefined) randomInto(out, 3, MESSAGE_ID)
  else out.set(messageId, 3)
  const id = out.subarray(3, 3 + MESSAGE_ID)
  const { key, commitment } = deriveKeys(suite, dataKey, id)
  const commitmentAt = template.length - COMMITMENT
  out.writeUInt32BE(frameLength, commitmentAt - 4)
  commitment.copy(out, commitmentAt)
  const body = out.subarray(0, template.length)
  const tag =
    unstored.length === 0 ? headerTag(suite, key, ZERO_IV, body) : headerTag(suite, key, ZERO_IV, body, unstored)
  tag.copy(out, template.length)
  return frameCipher(suite, key, id)
}
