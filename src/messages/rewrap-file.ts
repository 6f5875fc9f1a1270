import { rm } from 'node:fs/promises'
import { assertFilled, assertFlag, assertObject, wipe } from '../bytes.ts'
import { PUBLIC_KEY_NAME } from '../crypto/context-pairs.ts'
import type { KmsProvider } from '../kms.ts'
import { betweenFiles, type FileOptions } from './file.ts'
import { copyThrough } from './file-copy.ts'
import { type Header, parseHeader } from './header.ts'
import { openHeader } from './open.ts'
import { FrameOpener } from './open-frames.ts'
import { type OpenOptions, planOpen } from './open-plan.ts'
import { readHeader } from './range.ts'
import { providerList } from './recipients.ts'
import { hasRecipientsBeside, RECIPIENTS_SUFFIX, recipientsBeside } from './recipients-file.ts'
import { handleSource } from './regular-file.ts'
import { rewrapDetached } from './rewrap-detached.ts'
import { createMaterials, startMessage } from './seal.ts'
import { FrameSealer } from './seal-frames.ts'
import { planSeal } from './seal-options.ts'
import type { Progress } from './stream.ts'

/** How a sealed file gets other recipients. */
export interface RewrapFileOptions extends OpenOptions, Omit<FileOptions, 'threads'> {
  /** The recipients that the message has afterwards; with `detached`, that it has besides those in its header. */
  readonly to: KmsProvider | readonly KmsProvider[]
  /**
   * Leaves the file as it is, and writes the recipients to `PATH.recipients` beside it, reading the header alone. Those
   * that the header names can still open the file. `force` takes the place of a `PATH.recipients` that is not for this
   * file. Default false: the whole file is sealed again.
   */
  readonly detached?: boolean
}

/**
 * Gives a sealed file other recipients, under a new data key, keeping its context, its frames and whether it is signed.
 * The plaintext passes through memory frame by frame and never reaches the disk.
 *
 * The frames are sealed again, because they have to be: the header tag of this format has a fixed initialisation
 * vector, so a second header under the same data key and message id would give away the key that authenticates the
 * frames to anybody who holds both versions. Specification, section 8.
 *
 * @param kms providers that can open the message now, by its header or by the recipients beside it
 * @param path the file; it is replaced when everything in it was verified, and what was `PATH.recipients` is removed
 * @param application as of `openFile`
 * @returns what was sealed: nothing with `detached`
 * @throws DecryptionError, KmsError, InvalidInputError, and what the file system says; with `detached` also InvalidInputError for a
 *   message of format 1, and StrongroomError `ERR_FILE_EXISTS` when `PATH.recipients` is something else
 */
export async function rewrapFile(
  kms: KmsProvider | readonly KmsProvider[],
  path: string,
  options: RewrapFileOptions,
  application?: string,
): Promise<Progress> {
  assertFilled(path, 'path')
  assertObject(options, 'the options')
  for (const name of ['detached', 'force', 'durable'] as const) assertFlag(options[name], name)
  providerList(kms)
  providerList(options.to)
  if (options.detached === true) {
    await rewrapDetached(kms, path, options, application)
    return { bytes: 0, frames: 0 }
  }
  const plan = planOpen(options, application, () => recipientsBeside(path))
  const recipients = providerList(options.to)
  let before: Header | undefined
  const done = await betweenFiles(path, path, { ...options, force: true }, async (input, size, write) => {
    const header = parseHeader(await readHeader(handleSource(input, size), plan.maxRecipients), plan)
    before = header
    const opened = await openHeader(header, providerList(kms), plan)
    const stored = [...header.context].filter(([name]) => name !== PUBLIC_KEY_NAME)
    const unstored = [...plan.expected.keys()].filter((name) => !header.context.has(name))
    const sealing = planSeal({
      context: Object.fromEntries([...stored, ...plan.expected]),
      unstored,
      suite: header.suite.signature === undefined ? 0x0478 : 0x0578,
      ...(header.framed && { frameLength: header.frameLength }),
    })
    const materials = await createMaterials(recipients, sealing, options.signal)
    const message = startMessage(materials, sealing.frameLength)
    wipe(materials.dataKey)
    const sealer = new FrameSealer(message)
    const opener = new FrameOpener(plan)
    opener.startAt(header, opened)
    try {
      return await write(async (output) => {
        let bytes = 0
        await output.write(message.header)
        await copyThrough(
          input,
          output,
          {
            position: header.length,
            signal: options.signal,
            onBytes: () => options.onProgress?.({ bytes, frames: opener.frames }),
          },
          (chunk, emit) => {
            opener.add(chunk)
            for (let frame = opener.next(); frame !== undefined; frame = opener.next()) {
              bytes += frame.length
              emit(sealer.push(frame))
              frame.fill(0)
            }
            opener.settle()
          },
        )
        opener.end()
        await output.write(sealer.end())
        return { bytes, frames: sealer.frames }
      })
    } finally {
      opener.wipe()
      sealer.wipe()
    }
  })
  // They would open the version that is gone, and nothing else.
  if (before !== undefined && (await hasRecipientsBeside(path, before)))
    await rm(path + RECIPIENTS_SUFFIX, { force: true })
  return done
}
