import { PassThrough, Writable } from 'node:stream'
import type { Streams } from '../../src/cli/output.ts'

/** Streams that remember what was written, as a terminal or as a pipe. */
export function capture({
  tty = false,
  env = {},
  input = '',
}: {
  tty?: boolean
  env?: Record<string, string>
  input?: string
} = {}) {
  const written = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') =>
    Object.assign(
      new Writable({
        write(chunk, _encoding, done) {
          written[name] += chunk
          done()
        },
      }),
      { isTTY: tty, columns: 120 },
    )
  const stdin = Object.assign(new PassThrough(), { isTTY: tty })
  stdin.end(input)
  const streams: Streams = { stdin, stdout: sink('stdout'), stderr: sink('stderr'), env }
  return { streams, written }
}
