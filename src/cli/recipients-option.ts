import { statSync } from 'node:fs'
import type { OpenOptions } from '../messages/open-plan.ts'
import { RECIPIENTS_SUFFIX, readRecipients, recipientsBeside } from '../messages/recipients-file.ts'
import { CommandError } from './output.ts'
import { Option } from './vendor.ts'

/** Where the detached recipients of the one input are, when not beside it. */
export function recipientsOption(): Option {
  return new Option(
    '--recipients <path>',
    `detached recipients of the input (default: INPUT${RECIPIENTS_SUFFIX}, if it is there)`,
  )
}

/**
 * What opens one input with the recipients that were given, or with those beside it.
 *
 * @param input a path, or undefined for stdin
 * @throws CommandError when there is no file of that name
 */
export async function recipientsOf(
  input: string | undefined,
  given: string | undefined,
): Promise<Pick<OpenOptions, 'recipients'>> {
  if (given === undefined) return input === undefined ? {} : { recipients: () => recipientsBeside(input) }
  if (statSync(given, { throwIfNoEntry: false }) === undefined)
    throw new CommandError(`there is no ${given}`, { exitCode: 2 })
  return { recipients: await readRecipients(given) }
}

/** Leaves out files that hold the detached recipients of a sealed file beside them: a pattern of the shell names both. */
export function withoutRecipients(paths: readonly string[]): readonly string[] {
  return paths.length > 1 ? paths.filter((path) => !isBeside(path)) : paths
}

/** Whether a file holds the detached recipients of a sealed file beside it, and is no input of its own. */
export function isBeside(path: string): boolean {
  if (!path.endsWith(SEALED + RECIPIENTS_SUFFIX)) return false
  return statSync(path.slice(0, -RECIPIENTS_SUFFIX.length), { throwIfNoEntry: false })?.isFile() === true
}

/** The suffix of a sealed file. */
export const SEALED = '.sr'
