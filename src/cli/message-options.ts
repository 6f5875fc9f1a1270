import { type Stats, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { KmsProvider } from '../kms.ts'
import { findConfig, loadConfig } from './load-config.ts'
import { CommandError, type Output } from './output.ts'
import { type Progress, startProgress } from './progress.ts'
import { withoutRecipients } from './recipients-option.ts'
import { type Command, InvalidArgumentError, Option } from './vendor.ts'

/** What messages need of a configuration: nothing is read from the key store. */
export interface MessageConfig {
  readonly kms: KmsProvider | readonly KmsProvider[]
  readonly name: string | undefined
}

/** Loads the configuration that `--config` names, or the one in this folder. @throws CommandError */
export async function messageConfig(command: Command, given?: string): Promise<MessageConfig> {
  const path = findConfig(process.cwd(), given ?? command.optsWithGlobals().config)
  const config = (await loadConfig(path)) as { kms?: MessageConfig['kms']; name?: unknown }
  if (config.kms === undefined)
    throw new CommandError(`${path} has no kms: nothing can be sealed or opened without one`)
  return { kms: config.kms, name: typeof config.name === 'string' ? config.name : undefined }
}

/** The options that sealing and opening share. */
export function messageOptions(command: Command): Command {
  return command
    .option('-o, --output <path>', 'where to write; a folder for several inputs; - for stdout')
    .addOption(contextOption('bind to, or expect, these pairs'))
    .option('--force', 'replace files that are there', false)
    .option('--threads <n>', 'worker threads (default: by size)', wholeNumber)
}

/** Pairs of a context; given several times, they add up. */
export function contextOption(description: string): Option {
  return new Option('--context <name=value...>', description).argParser(pair).default({}, 'none')
}

/** One input file and where its result goes. */
export interface FilePair {
  readonly from: string
  readonly to: string
  readonly size: number
}

/**
 * Pairs inputs with outputs: a file to a file, and the files of folders to the same places under the output folder.
 *
 * @param rename the name of the result, or undefined for a file that is passed over
 * @param reason why it is, for one that was named itself
 */
export async function pairFiles(
  inputs: readonly string[],
  output: string | undefined,
  rename: (name: string) => string | undefined,
  reason: string,
): Promise<FilePair[]> {
  const single = inputs.length === 1 && isFile(inputs[0] as string)
  const intoFolder = output !== undefined && (!single || output.endsWith('/') || statOf(output)?.isDirectory() === true)
  const pairs: FilePair[] = []
  for (const input of withoutRecipients(inputs)) {
    const stat = statOf(input)
    if (stat === undefined) throw new CommandError(`there is no ${input}`, { exitCode: 2 })
    const folder = stat.isDirectory()
    for (const from of folder ? await filesIn(input) : [input]) {
      const result = rename(from)
      if (result === undefined) {
        if (folder) continue
        if (output === undefined || intoFolder)
          throw new CommandError(`${from} ${reason}`, {
            exitCode: 2,
            hint: 'name the result with --output',
          })
      }
      const name = result ?? from
      const inside = folder ? relative(input, name) : (name.split('/').at(-1) as string)
      const to = output === undefined ? name : intoFolder ? join(output, inside) : output
      pairs.push({ from, to, size: statSync(from).size })
    }
  }
  const targets = new Set(pairs.map(({ to }) => to))
  if (targets.size < pairs.length)
    throw new CommandError('two inputs would become one output: seal them one by one', { exitCode: 2 })
  return pairs
}

/** Shows the progress of several files as one; nothing for little work. */
export function progressOf(output: Output, label: string, total: number): Progress {
  if (total < 16 * MIB) return { update: () => {}, end: () => {} }
  const shown = startProgress(output, { label, total: Math.ceil(total / MIB), unit: 'MiB' })
  const whole = (done: number) => (done === total ? Math.ceil(done / MIB) : Math.floor(done / MIB))
  return { update: (done) => shown.update(whole(done)), end: () => shown.end() }
}

const MIB = 1024 * 1024

function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]{0,9}$/.test(text)) throw new InvalidArgumentError('it must be a whole number above zero.')
  return Number(text)
}

function pair(text: string, before: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('it must be name=value.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.part'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() === true
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}
