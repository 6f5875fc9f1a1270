import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const prebuilt = join(root, 'node_modules/argon2/prebuilds', `${process.platform}-${process.arch}`)

test.runIf(existsSync(prebuilt))('argon2 hashes as it comes: nothing is compiled where it is installed', async () => {
  const script = `require('argon2').hash('correct horse').then((hash) => process.stdout.write(hash))`
  // Without it a binary that was compiled here would be taken first.
  const env = { ...process.env, PREBUILDS_ONLY: '1' }
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: root, env })
  expect(stdout).toMatch(/^\$argon2id\$/)
})
