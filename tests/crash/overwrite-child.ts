import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { sealFile } from '../../src/messages/file.ts'
import { testKms } from './overwrite-kms.ts'

// Seals a file over another, and dies before the step of the file system that is named by its number.
const [from = '', to = '', dieAt = '0'] = process.argv.slice(2)
let step = 0
const counted = (of: Record<string, unknown>, names: readonly string[]) => {
  for (const name of names) {
    const original = of[name] as (...args: unknown[]) => unknown
    of[name] = function (this: unknown, ...args: unknown[]) {
      if (++step === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
      return original.apply(this, args)
    }
  }
}
const probe = await fs.open(from)
counted(Object.getPrototypeOf(probe), ['stat', 'read', 'write', 'writeFile', 'writev', 'chmod', 'sync', 'close'])
counted(fs as unknown as Record<string, unknown>, ['open', 'lstat', 'link', 'rename', 'rm', 'unlink'])
syncBuiltinESMExports()
await sealFile(testKms('new'), from, to, { force: true })
process.stdout.write(String(step))
