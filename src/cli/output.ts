import type { Readable, Writable } from 'node:stream'
import { StrongroomError } from '../errors.ts'
import { picocolors } from './vendor.ts'

/** Where a command reads and writes: a process, or a test. */
export interface Streams {
  readonly stdin: Readable & { isTTY?: boolean | undefined; setRawMode?(on: boolean): unknown }
  readonly stdout: Writable & { isTTY?: boolean | undefined; columns?: number | undefined }
  readonly stderr: Writable & { isTTY?: boolean | undefined }
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Results go to stdout, everything meant for people to stderr. Text from outside is made safe to print. */
export interface Output extends Streams {
  /** Colours for stdout: empty when it is not a terminal, or when `NO_COLOR` is set. */
  readonly colours: ReturnType<typeof picocolors.createColors>
  /** One line of result. */
  result(line: string): void
  /** A result for programs. */
  json(value: unknown): void
  /** `strongroom: …` for people. */
  say(line: string): void
  /** `hint: …` for people: what to do next. */
  hint(line: string): void
}

/** A failure with what to do about it; `exitCode` 1 is a failure, 2 a mistake in how the command was called. */
export class CommandError extends StrongroomError {
  readonly exitCode: 1 | 2
  readonly hint: string | undefined

  constructor(message: string, options: { exitCode?: 1 | 2; hint?: string; cause?: unknown } = {}) {
    super('ERR_COMMAND', message, options)
    this.exitCode = options.exitCode ?? 1
    this.hint = options.hint
  }
}

/** Ends the command with exit code 1 after its output has already said what is wrong. */
export class ProblemsFound extends CommandError {
  constructor() {
    super('')
  }
}

/** The output of a command on these streams. */
export function createOutput(streams: Streams): Output {
  const plain = streams.env.NO_COLOR !== undefined && streams.env.NO_COLOR !== ''
  const warn = picocolors.createColors(streams.stderr.isTTY === true && !plain)
  return {
    ...streams,
    colours: picocolors.createColors(streams.stdout.isTTY === true && !plain),
    result: (line) => void streams.stdout.write(`${line}\n`),
    json: (value) => void streams.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    say: (line) => void streams.stderr.write(`${warn.bold('strongroom:')} ${printable(line)}\n`),
    hint: (line) => void streams.stderr.write(`${warn.cyan('hint:')} ${printable(line)}\n`),
  }
}

/** Text without control characters: what stands in a store or an error must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(
    CONTROL,
    (character) => `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`,
  )
}

const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
