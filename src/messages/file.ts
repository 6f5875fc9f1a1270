import type { Buffer } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { assertCallback, assertFilled, assertFlag, wipe } from '../bytes.ts'
import { DecryptionError, InvalidInputError } from '../errors.ts'
import type { KmsProvider } from '../kms.ts'
import { copyThrough } from './file-copy.ts'
import { parseHeader } from './header.ts'
import { openHeader } from './open.ts'
import { FrameOpener } from './open-frames.ts'
import { type MessageInfo, type OpenOptions, type OpenPlan, planOpen } from './open-plan.ts'
import { type RangeSource, readHeader } from './range.ts'
import { providerList } from './recipients.ts'
import { recipientsBeside } from './recipients-file.ts'
import { handleSource, openRegular } from './regular-file.ts'
import { assertAbsent, type ReplaceOptions } from './replace-file.ts'
import { MESSAGE_START, replaceMessage } from './replace-message.ts'
import { createMaterials, startMessage } from './seal.ts'
import { sealInto } from './seal-into.ts'
import { planSeal, type SealOptions } from './seal-options.ts'
import type { Progress, StreamEvents } from './stream.ts'
import { openWithThreads, threadsFor } from './threads.ts'

/**
 * How a file is sealed or opened. With `force`, the message that is replaced takes the detached recipients beside it along;
 * anything else that is called like them stays.
 */
export interface FileOptions extends ReplaceOptions, StreamEvents {
  /** Worker threads, 1 to 64: 1 works in this thread. Default: one below 128 MiB, above it half of the cores, at most four. */
  readonly threads?: number
}

/** How a file is sealed. */
export interface SealFileOptions extends SealOptions, FileOptions {
  /**
   * Opens what was written, from the key management service on, before it gets its name: a file that does not open never
   * appears. Default false.
   */
  readonly verify?: boolean
}

/** How a file is opened. */
export interface OpenFileOptions extends OpenOptions, FileOptions {}

/**
 * Seals a file into another, which appears under its name only when it is complete. Permissions are kept. Signed
 * messages take one thread, whatever `threads` says.
 *
 * @param from path of a regular file
 * @param to path of the message; may be the same as `from` with `force`
 * @param application name that the message carries as the context pair `strongroom`; none by default
 * @returns bytes of plaintext, and frames
 * @throws InvalidInputError, KmsError, StrongroomError `ERR_FILE_EXISTS`, and what the file system says, as `ENOENT`
 */
export async function sealFile(
  kms: KmsProvider | readonly KmsProvider[],
  from: string,
  to: string,
  options: SealFileOptions = {},
  application?: string,
): Promise<Progress> {
  const providers = providerList(kms)
  const plan = planSeal(options, application)
  return betweenFiles(from, to, options, async (input, size, write) => {
    const threads = plan.suite.signature === undefined ? threadsFor(options.threads, size) : 1
    const materials = await createMaterials(providers, plan, options.signal)
    const message = startMessage(materials, plan.frameLength)
    wipe(materials.dataKey)
    return write(async (output) => {
      const sealed = await sealInto(input, output, size, message, threads, options)
      if (options.verify === true) await assertOpens(providers, output, sealed.bytes, options, application)
      return sealed
    })
  })
}

/** @throws DecryptionError when what was written does not open to this many bytes */
async function assertOpens(
  providers: readonly KmsProvider[],
  written: FileHandle,
  expected: number,
  { context = {}, signal }: SealFileOptions,
  application: string | undefined,
): Promise<void> {
  const { size } = await written.stat()
  const options = { context, ...(signal && { signal }) }
  const plan = planOpen(options, application)
  const { bytes } = await openInto(providers, written, size, plan, options, (work) => work(undefined))
  if (bytes !== expected) throw new DecryptionError()
}

/**
 * Opens a file into another, which appears under its name only when every frame, the signature and the end of the
 * message were verified. Permissions are kept. Where the recipients in its header do not open it, those of
 * `FROM.recipients` are used, if there are any.
 *
 * @param from path of the message
 * @param to path of the plaintext; may be the same as `from` with `force`
 * @param application a message that carries the name of another is refused
 * @returns what the message says of itself, bytes of plaintext, and frames
 * @throws DecryptionError whatever is wrong with the message
 * @throws InvalidInputError, KmsError, StrongroomError `ERR_FILE_EXISTS`, and what the file system says, as `ENOENT`
 */
export async function openFile(
  kms: KmsProvider | readonly KmsProvider[],
  from: string,
  to: string,
  options: OpenFileOptions = {},
  application?: string,
): Promise<MessageInfo & Progress> {
  providerList(kms)
  const plan = planOpen(options, application, () => recipientsBeside(from))
  return betweenFiles(from, to, options, (input, size, write) => openInto(kms, input, size, plan, options, write))
}

/**
 * Opens a whole file as `openFile` does and keeps nothing: says whether it could be restored.
 *
 * @param path of the message
 * @param application as of `openFile`
 * @returns as `openFile`
 * @throws DecryptionError, InvalidInputError, KmsError, and what the file system says, as `ENOENT`
 */
export async function verifyFile(
  kms: KmsProvider | readonly KmsProvider[],
  path: string,
  options: OpenFileOptions = {},
  application?: string,
): Promise<MessageInfo & Progress> {
  providerList(kms)
  const plan = planOpen(options, application, () => recipientsBeside(path))
  assertCallback(options.onProgress, 'onProgress')
  const input = await openRegular(path)
  try {
    const { size } = await input.stat()
    return await openInto(kms, input, size, plan, { ...options, threads: 1 }, (work) => work(undefined))
  } finally {
    await input.close()
  }
}

/**
 * A file, with its detached recipients, as a source of ranges; close it when done.
 *
 * @param path of the message
 * @throws InvalidInputError when it is no regular file, and what the file system says, as `ENOENT`
 */
export async function fileSource(path: string): Promise<RangeSource & { close(): Promise<void> }> {
  const file = await openRegular(path)
  const { size } = await file.stat()
  return { ...handleSource(file, size), recipients: () => recipientsBeside(path), close: () => file.close() }
}

export type Write = <Result>(work: (output: FileHandle) => Promise<Result>) => Promise<Result>

/**
 * Opens the input, refuses an output that is in the way, and gives the output the input's permissions. With `force` the
 * detached recipients of the message that it replaces go with that.
 */
export async function betweenFiles<Result>(
  from: string,
  to: string,
  options: FileOptions & { readonly verify?: boolean; signal?: AbortSignal },
  work: (input: FileHandle, size: number, write: Write) => Promise<Result>,
): Promise<Result> {
  assertFilled(from, 'the path to read')
  assertFilled(to, 'the path to write')
  assertCallback(options.onProgress, 'onProgress')
  for (const name of ['force', 'durable', 'verify'] as const) assertFlag(options[name], name)
  options.signal?.throwIfAborted()
  if (resolve(from) === resolve(to) && options.force !== true) {
    throw new InvalidInputError('a file can take its own place only with force')
  }
  await assertAbsent(to, options.force)
  const input = await openRegular(from)
  try {
    const { size, mode } = await input.stat()
    const start = () => handleSource(input, size).read(0, Math.min(size, MESSAGE_START))
    return await work(input, size, (write) => replaceMessage(to, mode, options, start, write))
  } finally {
    await input.close()
  }
}

async function openInto(
  kms: KmsProvider | readonly KmsProvider[],
  input: FileHandle,
  size: number,
  plan: OpenPlan,
  options: OpenFileOptions,
  write: <Result>(work: (output: FileHandle | undefined) => Promise<Result>) => Promise<Result>,
): Promise<MessageInfo & Progress> {
  const header = parseHeader(await readHeader(handleSource(input, size), plan.maxRecipients), plan)
  const opened = await openHeader(header, providerList(kms), plan)
  const inParallel = header.framed && header.suite.signature === undefined
  const threads = inParallel ? threadsFor(options.threads, size) : 1
  try {
    return await write(async (output) => {
      if (threads > 1 && output !== undefined) {
        return {
          ...opened.info,
          ...(await openWithThreads(input, output, size, header, opened.cipher, threads, options)),
        }
      }
      const opener = new FrameOpener(plan)
      opener.startAt(header, opened)
      let bytes = 0
      const drain = (emit: (frame: Buffer) => void): void => {
        for (let frame = opener.next(); frame !== undefined; frame = opener.next()) {
          bytes += frame.length
          if (output === undefined) frame.fill(0)
          else emit(frame)
        }
      }
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
          drain(emit)
          opener.settle()
        },
      )
      opener.end()
      return { ...opened.info, bytes, frames: opener.frames }
    })
  } finally {
    wipe(opened.cipher.key)
  }
}
