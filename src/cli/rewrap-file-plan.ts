import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { wipe } from '../bytes.ts'
import { fileSource } from '../messages/file.ts'
import { inspectMessage } from '../messages/inspect.ts'
import { createMessages } from '../messages/messages.ts'
import type { OpenOptions } from '../messages/open-plan.ts'
import { providerList, type Recipient } from '../messages/recipients.ts'
import { RECIPIENTS_SUFFIX } from '../messages/recipients-file.ts'
import { openDetachable } from '../messages/rewrap-detached.ts'
import type { MessageConfig } from './message-options.ts'
import { recipientsOf } from './recipients-option.ts'

/** How files are to be rewrapped. */
export interface RewrapChoice extends OpenOptions {
  readonly detached: boolean
  readonly force: boolean
}

/** What would become of one sealed file. */
export interface RewrapFilePlan {
  readonly path: string
  /** Bytes of the sealed file. */
  readonly size: number
  readonly recipients: readonly Recipient[]
  /** The recipients that it would have; the detached ones, when `writes` is there. */
  readonly to: readonly Recipient[]
  /** The file that would be written beside it, which would stay as it is. */
  readonly writes?: string
}

const READ_BYTES = 1024 * 1024

/**
 * Opens a sealed file as `rewrapFile` would, to its end or its header alone, and keeps nothing.
 *
 * @throws DecryptionError, KmsError, and what else `rewrapFile` refuses a file for
 */
export async function planRewrapFile(
  path: string,
  from: MessageConfig,
  to: MessageConfig,
  options: RewrapChoice,
): Promise<RewrapFilePlan> {
  if (options.detached) wipe((await openDetachable(from.kms, path, options, from.name)).dataKey)
  else await openToEnd(path, from, options)
  const source = await fileSource(path)
  try {
    const { size, recipients } = await inspectMessage(source)
    const targets = providerList(to.kms).map(({ name, keyId }) => ({ provider: name, keyId }))
    return { path, size, recipients, to: targets, ...(options.detached && { writes: path + RECIPIENTS_SUFFIX }) }
  } finally {
    await source.close()
  }
}

async function openToEnd(path: string, { kms, name }: MessageConfig, options: OpenOptions): Promise<void> {
  const messages = createMessages({ kms, ...(name !== undefined && { name }) })
  const opened = messages.openNodeStream({ ...options, ...(await recipientsOf(path, undefined)) })
  await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), opened, async (frames) => {
    for await (const frame of frames) frame.fill(0)
  })
}
