import { CommandError, type Output } from './output.ts'

const ENTER = ['\r', '\n', '\u0004']
const BACKSPACE = ['\u007f', '\b']
const INTERRUPT = '\u0003'

/** Asks for a secret on the terminal, without showing it. @throws CommandError when the answer is interrupted */
export function askSecret(output: Output, question: string): Promise<string> {
  const { stdin, stderr } = output
  stderr.write(`${question}: `)
  stdin.setRawMode?.(true)
  stdin.setEncoding('utf8')
  stdin.resume()
  return new Promise((resolve, reject) => {
    let answer: string[] = []
    const finish = (settle: () => void) => {
      stdin.removeListener('data', read)
      stdin.removeListener('end', interrupted)
      stdin.setRawMode?.(false)
      stdin.pause()
      stderr.write('\n')
      settle()
    }
    const interrupted = () => finish(() => reject(new CommandError('interrupted: nothing was made')))
    const read = (chunk: string) => {
      for (const [at, character] of [...chunk].entries()) {
        if (character === INTERRUPT) return interrupted()
        if (ENTER.includes(character)) {
          finish(() => resolve(answer.join('')))
          const typedAhead = [...chunk].slice(at + 1).join('')
          if (typedAhead !== '') stdin.unshift(typedAhead, 'utf8')
          return
        }
        if (BACKSPACE.includes(character)) answer = answer.slice(0, -1)
        else answer.push(character)
      }
    }
    stdin.on('data', read)
    stdin.on('end', interrupted)
  })
}
