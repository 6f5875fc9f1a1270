import { readFileSync } from 'node:fs'
import { StrongroomError } from '../errors.ts'
import { addCensus } from './census.ts'
import { addDoctor } from './doctor.ts'
import { addInit } from './init.ts'
import { addKeys } from './keys.ts'
import { addMessages } from './messages.ts'
import { addMigrate } from './migrate.ts'
import { CommandError, createOutput, type Output, ProblemsFound, type Streams } from './output.ts'
import { addPasswords } from './passwords.ts'
import { addPrisma } from './prisma.ts'
import { addRecovery } from './recovery.ts'
import { addReencrypt } from './reencrypt.ts'
import { addReport } from './report.ts'
import { addRetire } from './retire.ts'
import { addRewrap } from './rewrap.ts'
import { addRotate } from './rotate.ts'
import { addShred } from './shred.ts'
import { addStatus } from './status.ts'
import { assertTypedTexts } from './typed-texts.ts'
import { Command, CommanderError } from './vendor.ts'
import { addWorker } from './worker.ts'

/** The whole command line. Each command is one file in this folder. */
export function createProgram(output: Output): Command {
  const program = new Command('strongroom')
    .description('Keys and encrypted data: set up, inspect, rotate, verify.')
    .version(readVersion())
    .option('-c, --config <file>', 'configuration file (default: strongroom.config.ts here)')
    .showHelpAfterError('hint: `strongroom --help` lists the commands')
    .exitOverride()
    .hook('preAction', (_, command) => assertTypedTexts(command))
    .configureOutput({
      writeOut: (text) => void output.stdout.write(text),
      writeErr: (text) => void output.stderr.write(text.replace(/^error: /, 'strongroom: ')),
    })
  addDoctor(program, output)
  addInit(program, output)
  addStatus(program, output)
  addKeys(program, output)
  addRotate(program, output)
  addRewrap(program, output)
  addReencrypt(program, output)
  addWorker(program, output)
  addMigrate(program, output)
  addCensus(program, output)
  addRetire(program, output)
  addShred(program, output)
  addReport(program, output)
  addRecovery(program, output)
  addPasswords(program, output)
  addMessages(program, output)
  addPrisma(program, output)
  return program
}

/**
 * Runs one command line.
 *
 * @param args without the program's name
 * @returns the exit code: 0 done, 1 failed, 2 called wrongly
 */
export async function run(args: readonly string[], streams: Streams): Promise<number> {
  const output = createOutput(streams)
  try {
    await createProgram(output).parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!(error instanceof ProblemsFound)) report(error, output)
    return error instanceof CommandError ? error.exitCode : 1
  }
}

function report(error: unknown, output: Output): void {
  output.say(error instanceof Error ? error.message : 'failed')
  if (error instanceof CommandError) {
    if (error.hint !== undefined) output.hint(error.hint)
  } else if (error instanceof StrongroomError) {
    output.hint(error.code === 'ERR_FILE_EXISTS' ? '--force replaces it' : `${error.code}: see docs/errors.md`)
  }
}

/** The package's version; two levels up from here in the sources, one in the built program. */
function readVersion(): string {
  const candidates = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url))
  for (const url of candidates) {
    try {
      return JSON.parse(readFileSync(url, 'utf8')).version
    } catch {
      // not this one
    }
  }
  return 'unknown'
}
