import { DecryptionError } from '../errors.ts'
import { MAX_DETACHED, recipientsFor } from './detached.ts'
import type { Header } from './header.ts'
import { handleSource, openRegular } from './regular-file.ts'

/** What the name of a sealed file is followed by in the name of its detached recipients. */
export const RECIPIENTS_SUFFIX = '.recipients'

/** The detached recipients that lie beside a sealed file; undefined when there are none. @throws as `readRecipients` */
export async function recipientsBeside(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readRecipients(path + RECIPIENTS_SUFFIX)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether what lies beside a file says that it is for the message with this header. */
export async function hasRecipientsBeside(path: string, header: Header): Promise<boolean> {
  const beside = await recipientsBeside(path).catch(() => undefined)
  return beside !== undefined && recipientsFor(header, beside) !== undefined
}

/** Reads detached recipients. @throws DecryptionError when they are too long to be any, and what the file system says */
export async function readRecipients(path: string): Promise<Uint8Array> {
  const file = await openRegular(path)
  try {
    const { size } = await file.stat()
    if (size > MAX_DETACHED) throw new DecryptionError()
    return await handleSource(file, size).read(0, size)
  } finally {
    await file.close()
  }
}
