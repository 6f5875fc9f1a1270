import { lstat, rm } from 'node:fs/promises'
import { equalBytes } from '../bytes.ts'
import { type Header, MESSAGE_ID, parseHeader } from './header.ts'
import { readHeader } from './range.ts'
import { hasRecipientsBeside, RECIPIENTS_SUFFIX } from './recipients-file.ts'
import { handleSource, openRegular } from './regular-file.ts'
import { type ReplaceOptions, replaceFile } from './replace-file.ts'

/** As many of the first bytes of an input as tell which message it is: version, suite and message id. */
export const MESSAGE_START: number = 1 + 2 + MESSAGE_ID

/**
 * Puts a file into place as `replaceFile` does. When it takes the place of a message, the detached recipients that lie
 * beside that one, and are for it, are removed: they would open what is gone, and nothing else.
 *
 * They stay when the message they are for still exists as far as can be seen: when it is the input, or has another name.
 * They are removed last, so that a crash never leaves the old message without them.
 *
 * @param startOfInput what the new file is made of: its first `MESSAGE_START` bytes, or fewer when it is shorter
 * @throws as `replaceFile`; never because recipients could not be removed
 */
export async function replaceMessage<Result>(
  path: string,
  mode: number,
  options: ReplaceOptions,
  startOfInput: () => Promise<Uint8Array>,
  write: Parameters<typeof replaceFile<Result>>[3],
): Promise<Result> {
  const gone = options.force === true ? await messageAt(path) : undefined
  const result = await replaceFile(path, mode, options, write)
  // The file is in place: recipients that stay behind open nothing, and are no reason to say that it is not.
  if (gone !== undefined) await removeRecipients(path, gone, startOfInput).catch(() => undefined)
  return result
}

async function removeRecipients(path: string, gone: Header, startOfInput: () => Promise<Uint8Array>): Promise<void> {
  if (!(await hasRecipientsBeside(path, gone))) return
  const isInput = equalBytes(gone.body.subarray(0, MESSAGE_START), await startOfInput())
  if (!isInput) await rm(path + RECIPIENTS_SUFFIX)
}

/** The header of the message that is lost when `path` is replaced; undefined when that is none, or has another name. */
async function messageAt(path: string): Promise<Header | undefined> {
  try {
    const at = await lstat(path)
    if (!at.isFile() || at.nlink > 1) return undefined // a link: what it leads to stays
    const file = await openRegular(path)
    try {
      const header = await readHeader(handleSource(file, at.size), 0xffff)
      return parseHeader(header, { maxRecipients: 0xffff, maxFrameLength: 0xffffffff })
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}
