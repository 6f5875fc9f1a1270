import type { Buffer } from 'node:buffer'
import { asBuffer, assertBytes, wipe } from '../bytes.ts'
import type { KmsProvider } from '../kms.ts'
import { authenticate, type OpenedHeader, type OpenMaterials } from './authenticate.ts'
import type { DataKeyCache } from './data-key-cache.ts'
import { findDataKey } from './detached.ts'
import { type Header, parseHeader } from './header.ts'
import { openBody } from './open-body.ts'
import { assertPolicy, boundContext, type MessageInfo, type OpenPlan } from './open-plan.ts'

/**
 * Goes from a parsed header to an authenticated one, in the order of the specification, section 6: policy, recipients,
 * commitment, header tag, expected context. The data key is kept in `cache` only once the header tag proved
 * it, and never when it came from detached recipients: those are for one message, what is kept opens all of its key.
 *
 * @throws DecryptionError whichever of them fails
 * @throws KmsError when the service that holds the key is away or says no
 */
export async function openHeader(
  header: Header,
  providers: readonly KmsProvider[],
  plan: OpenPlan,
  cache?: DataKeyCache<OpenMaterials>,
): Promise<OpenedHeader> {
  assertPolicy(header.suite, header, plan)
  const { context, unstored } = boundContext(header, plan)
  const id = cache === undefined ? '' : cacheId(header, unstored)
  const cached = cache?.take(id, 0)
  if (cached !== undefined) return authenticate(header, cached, unstored, plan)
  const { dataKey, detached } = await findDataKey(header, providers, context, plan, openBuffered)
  const materials = { suite: header.suite, dataKey }
  let kept = false
  try {
    const opened = authenticate(header, materials, unstored, plan)
    if (cache !== undefined && !detached && header.length <= MAX_CACHED_HEADER) {
      cache.put(id, materials)
      kept = true
    }
    return opened
  } finally {
    if (!kept) wipe(dataKey)
  }
}

/** The data key of a message, proved by commitment and header tag; the order of checks is that of `openHeader`. The caller wipes it. */
export async function openDataKey(
  header: Header,
  providers: readonly KmsProvider[],
  plan: OpenPlan,
): Promise<Uint8Array> {
  assertPolicy(header.suite, header, plan)
  const { context, unstored } = boundContext(header, plan)
  const { dataKey } = await findDataKey(header, providers, context, plan, openBuffered)
  try {
    wipe(authenticate(header, { suite: header.suite, dataKey }, unstored, plan).cipher.key)
    return dataKey
  } catch (error) {
    wipe(dataKey)
    throw error
  }
}

/** A message that was opened: its plaintext, and what it is bound to. */
export interface OpenedMessage extends MessageInfo {
  readonly plaintext: Buffer
}

/** `openMessage` with checked options, and with a cache of data keys if there is one. */
export async function openBuffered(
  providers: readonly KmsProvider[],
  message: Uint8Array,
  plan: OpenPlan,
  cache?: DataKeyCache<OpenMaterials>,
): Promise<OpenedMessage> {
  assertBytes(message, 'message')
  const bytes = asBuffer(message)
  const header = parseHeader(bytes, plan)
  const opened = await openHeader(header, providers, plan, cache)
  try {
    return { plaintext: openBody(bytes, header, opened), ...opened.info }
  } finally {
    wipe(opened.cipher.key)
  }
}

const MAX_CACHED_HEADER = 16_384

/** Equal for two headers exactly when one data key may open both: suite, context and recipients are the same. */
function cacheId({ suite, keyMaterial }: Header, unstored: Uint8Array): string {
  return `${suite.id} ${unstored.length} ${asBuffer(unstored).toString('latin1')}${asBuffer(keyMaterial).toString('latin1')}`
}
