import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { fileSource } from '../messages/file.ts'
import { inspectMessage } from '../messages/inspect.ts'
import { createMessages } from '../messages/messages.ts'
import type { OpenOptions } from '../messages/open-plan.ts'
import { providerList, type Recipient } from '../messages/recipients.ts'
import type { MessageConfig } from './message-options.ts'

/** What would become of one sealed file. */
export interface RewrapFilePlan {
  readonly path: string
  /** Bytes of the sealed file. */
  readonly size: number
  readonly recipients: readonly Recipient[]
  /** The recipients that it would have. */
  readonly to: readonly Recipient[]
}

const READ_BYTES = 1024 * 1024

/** Opens a sealed file to its end, as `rewrapFile` would, and keeps nothing. @throws DecryptionError, KmsError */
export async function planRewrapFile(
  path: string,
  from: MessageConfig,
  to: MessageConfig,
  options: OpenOptions,
): Promise<RewrapFilePlan> {
  const { kms, name } = from
  const messages = createMessages({ kms, ...(name !== undefined && { name }) })
  const opened = messages.openNodeStream(options)
  await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), opened, async (frames) => {
    for await (const frame of frames) frame.fill(0)
  })
  const source = await fileSource(path)
  try {
    const { size, recipients } = await inspectMessage(source)
    return { path, size, recipients, to: providerList(to.kms).map(({ name, keyId }) => ({ provider: name, keyId })) }
  } finally {
    await source.close()
  }
}
