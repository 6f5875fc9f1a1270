import { createInterface } from 'node:readline/promises'
import { CommandError, type Output, printable } from './output.ts'

/**
 * Wants a word typed before something that cannot be taken back. Without a terminal, only `--yes` will do.
 *
 * @throws CommandError when another word was typed, and nothing was done
 */
export async function confirm(output: Output, what: string, word: string, yes: boolean): Promise<void> {
  if (yes) return
  if (output.stdin.isTTY !== true) {
    throw new CommandError(`${what} has to be confirmed`, {
      exitCode: 2,
      hint: 'add --yes to do it without being asked',
    })
  }
  output.say(what)
  const lines = createInterface({ input: output.stdin, output: output.stderr })
  const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
  try {
    const answer = await Promise.race([lines.question(`type ${printable(word)} to go on: `), ended])
    if (answer.trim() !== word) throw new CommandError('not confirmed: nothing was done')
  } finally {
    lines.close()
  }
}
