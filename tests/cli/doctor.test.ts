import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { run } from '../../src/cli/program.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { capture } from './capture.ts'

const KEY = Buffer.alloc(32, 7)
let folder: string

/** Writes a configuration whose KMS holds the key that the store was made with, or another. */
function writeConfig(name: string, key: Buffer = KEY): string {
  const path = join(folder, name)
  writeFileSync(
    path,
    `import { defineStrongroom } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { rawAes } from 'strongroom/raw'
export default defineStrongroom({
  name: 'billing',
  kms: rawAes({ namespace: 'test', name: 'root', key: Buffer.from('${key.toString('hex')}', 'hex') }),
  store: fileKeyStore({ path: ${JSON.stringify(join(folder, 'keys'))} }),
})
`,
  )
  return path
}

async function strongroom(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { streams, written } = capture()
  const code = await run(args, streams)
  return { code, ...written }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-cli-'))
  const path = join(folder, 'keys')
  await createKeyStoreFile({ path })
  const kms = rawAes({ namespace: 'test', name: 'root', key: KEY })
  const room = await openStrongroom({ name: 'billing', kms, store: fileKeyStore({ path }) }, { init: true })
  await room.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

test('a Strongroom in order: a table for people, exit code 0', async () => {
  const { code, stdout, stderr } = await strongroom('doctor', '--config', writeConfig('good.config.ts'))
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/kms\.context\s+test root\s+ok\s+refused a wrong context/)
  expect(stdout).toMatch(/store\.compare-and-set/)
  expect(stdout.trimEnd().endsWith('healthy')).toBe(true)
})

test('another key under the same name: the problem on stdout, hints on stderr, exit code 1', async () => {
  const config = writeConfig('bad.config.ts', Buffer.alloc(32, 8))
  const { code, stdout, stderr } = await strongroom('--config', config, 'doctor')
  expect(code).toBe(1)
  expect(stdout).toMatch(/keys\.root\s+billing\s+PROBLEM/)
  expect(stdout).toMatch(/1 problem$/m)
  expect(stderr).not.toContain('strongroom:')
})

test('--json is one object with every finding and nothing else', async () => {
  const { code, stdout } = await strongroom('doctor', '--json', '-c', writeConfig('good.config.ts'))
  const report = JSON.parse(stdout)
  expect([code, report.healthy]).toEqual([0, true])
  expect(report.findings[0]).toEqual({
    check: 'kms.wrap',
    subject: 'test root',
    status: 'ok',
    message: 'wrapped a key under root',
    ms: expect.any(Number),
  })
})

test('--max-age holds keys against another policy', async () => {
  const { code, stdout } = await strongroom(
    'doctor',
    '-c',
    writeConfig('good.config.ts'),
    '--max-age',
    'root=0',
    '--max-age',
    'data=1',
  )
  expect(code).toBe(1)
  expect(stdout).toContain('older than 0 days')
})

test('--clock compares with the Date header of a server', async () => {
  const server = createServer((_request, response) => {
    response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString()).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const { code, stdout } = await strongroom('doctor', '-c', writeConfig('good.config.ts'), '--clock', url)
  server.close()
  expect(code).toBe(1)
  expect(stdout).toMatch(/off by 3600 s|off by 3601 s/)
})

test('called wrongly: exit code 2', async () => {
  const config = writeConfig('good.config.ts')
  const wrong = [
    ['--max-age', 'years=1'],
    ['--max-age', 'data'],
    ['--max-keys', '0'],
    ['--clock', 'http://example.com/'],
    ['--nothing'],
  ]
  for (const args of wrong) expect((await strongroom('doctor', '-c', config, ...args)).code, args.join(' ')).toBe(2)
  expect((await strongroom('doctor', '-c', join(folder, 'none.ts'))).code).toBe(2)
})
