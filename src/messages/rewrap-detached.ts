import { wipe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import type { KmsProvider } from '../kms.ts'
import { DETACHED_SUITE, encodeDetached, nameOf, sharedContext } from './detached.ts'
import { type Header, parseHeader } from './header.ts'
import { openDataKey } from './open.ts'
import { boundContext, type OpenOptions, type OpenPlan, planOpen } from './open-plan.ts'
import { readHeader } from './range.ts'
import { providerList } from './recipients.ts'
import { hasRecipientsBeside, RECIPIENTS_SUFFIX, recipientsBeside } from './recipients-file.ts'
import { handleSource, openRegular } from './regular-file.ts'
import { assertAbsent, type ReplaceOptions, replaceFile } from './replace-file.ts'
import { createMaterials, sealBytes } from './seal.ts'
import { DEFAULT_FRAME_LENGTH, planSeal } from './seal-options.ts'

/** A sealed file whose header was opened, and what its detached recipients would be made of. The caller wipes `dataKey`. */
export interface Detachable {
  readonly header: Header
  readonly dataKey: Uint8Array
  readonly plan: OpenPlan
  /** Permissions of the file. */
  readonly mode: number
  /** Whether what lies beside it now, if anything, may be replaced. */
  readonly force: boolean
}

/**
 * Gives a sealed file further recipients in `PATH.recipients`, and reads nothing of it but its header. Specification, section 8.
 *
 * @param kms providers that can open the file now, by its header or by the detached recipients that it has
 * @throws DecryptionError, KmsError; InvalidInputError for a message that does not commit to its key; `ERR_FILE_EXISTS`
 *   when something else lies in their place, without `force`
 */
export async function rewrapDetached(
  kms: KmsProvider | readonly KmsProvider[],
  path: string,
  options: OpenOptions & ReplaceOptions & { readonly to: KmsProvider | readonly KmsProvider[] },
  application?: string,
): Promise<void> {
  const to = providerList(options.to)
  const { header, dataKey, plan, mode, force } = await openDetachable(kms, path, options, application)
  try {
    const { durable = true } = options
    const message = await sealDetached(to, header, dataKey, plan)
    await replaceFile(path + RECIPIENTS_SUFFIX, mode, { durable, force }, (file) => file.writeFile(message))
  } finally {
    wipe(dataKey)
  }
}

/** All of `rewrapDetached` that comes before anything is wrapped or written. @throws as that */
export async function openDetachable(
  kms: KmsProvider | readonly KmsProvider[],
  path: string,
  options: OpenOptions & ReplaceOptions,
  application?: string,
): Promise<Detachable> {
  const plan = planOpen(options, application, () => recipientsBeside(path))
  const file = await openRegular(path)
  try {
    const { size, mode } = await file.stat()
    const header = parseHeader(await readHeader(handleSource(file, size), plan.maxRecipients), plan)
    if (header.suite.version === 1) {
      throw new InvalidInputError('a message that does not commit to its key has no detached recipients: seal it again')
    }
    const force = options.force === true || (await hasRecipientsBeside(path, header))
    await assertAbsent(path + RECIPIENTS_SUFFIX, force)
    const dataKey = await openDataKey(header, providerList(kms), plan)
    return { header, dataKey, plan, mode, force }
  } finally {
    await file.close()
  }
}

async function sealDetached(
  to: readonly KmsProvider[],
  header: Header,
  dataKey: Uint8Array,
  plan: OpenPlan,
): Promise<Uint8Array> {
  const context = sharedContext(boundContext(header, plan).context)
  const unstored = Object.keys(context).filter((name) => !header.context.has(name))
  const sealing = planSeal({ context, unstored, suite: DETACHED_SUITE }, undefined, nameOf(header))
  const materials = await createMaterials(to, sealing, plan.signal)
  const plaintext = encodeDetached(header, dataKey)
  try {
    return sealBytes(materials, plaintext, DEFAULT_FRAME_LENGTH)
  } finally {
    wipe(materials.dataKey, plaintext)
  }
}
