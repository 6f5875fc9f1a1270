import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { createOutput } from '../../src/cli/output.ts'
import { createProgram, run } from '../../src/cli/program.ts'
import type { Command } from '../../src/cli/vendor.ts'
import type { KeyInfo } from '../../src/keys/key-info.ts'
import type { RewrapReport } from '../../src/keys/rewrap-keys.ts'
import type { Rotation } from '../../src/keys/rotate-keys.ts'
import type { RotationPlan } from '../../src/keys/rotation-plan.ts'
import { openStrongroom, type Strongroom } from '../../src/strongroom.ts'
import { capture } from './capture.ts'

let folder: string
let room: Strongroom

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-dry-'))
  await createKeyStoreFile({ path: at('keys') })
  configure('one')
  const kms = rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 'o') })
  room = await openStrongroom({ name: 'billing', kms, store: fileKeyStore({ path: at('keys') }) }, { init: true })
  await room.unlock([{ tenant: 'a' }, { tenant: 'b' }])
  return async () => {
    await room.close()
    rmSync(folder, { recursive: true })
  }
})

const at = (name: string) => join(folder, name)
/** Services that write down every call. */
const configure = (...services: string[]) =>
  writeFileSync(
    at('strongroom.config.ts'),
    `import { appendFileSync } from 'node:fs'
import { defineStrongroom } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { rawAes } from 'strongroom/raw'
const services = ${JSON.stringify(services)}
export default defineStrongroom({
  name: 'billing',
  kms: services.map((name) => rawAes({ namespace: 'test', name, key: Buffer.alloc(32, name[0]) })),
  store: fileKeyStore({ path: ${JSON.stringify(at('keys'))} }),
  onEvent: (event) => {
    if (event.type === 'kms.called') appendFileSync(${JSON.stringify(at('calls'))}, event.operation + '\\n')
  },
})
`,
  )

async function strongroom(...args: string[]) {
  const { streams, written } = capture()
  rmSync(at('calls'), { force: true })
  const code = await run([...args, '--config', at('strongroom.config.ts')], streams)
  return { code, ...written }
}
const wraps = () =>
  existsSync(at('calls'))
    ? readFileSync(at('calls'), 'utf8')
        .split('\n')
        .filter((line) => line === 'wrap').length
    : 0

/** Runs a command without changing a byte of the store, and without a key being wrapped. */
async function dry(...args: string[]) {
  const before = readFileSync(at('keys'))
  const result = await strongroom(...args, '--dry-run')
  expect(readFileSync(at('keys')).equals(before)).toBe(true)
  expect(wraps()).toBe(0)
  return result
}
async function json<Value>(work: ReturnType<typeof strongroom>): Promise<Value> {
  const { code, stdout, stderr } = await work
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}
const activeKey = async (tenant: string) =>
  (await room.keys.list({ purpose: 'data', scope: { tenant }, state: 'active' }))[0] as KeyInfo

describe('strongroom rotate --dry-run', () => {
  test('names the keys that the rotation then takes over from, in every scope', async () => {
    const plan = await json<RotationPlan & { dryRun: true }>(dry('rotate', '--all', '--json'))
    expect(plan).toMatchObject({ dryRun: true, purpose: 'data', wraps: [] })
    expect(plan.keys.map(({ replaces }) => replaces.scope).sort()).toEqual(['tenant=a', 'tenant=b', 'the empty scope'])
    const rotations = await json<Rotation[]>(strongroom('rotate', '--all', '--json'))
    expect(rotations.map(({ replaced }) => replaced?.id)).toEqual(plan.keys.map(({ replaces }) => replaces.id))
  })

  test('names the waiting key that takes over', async () => {
    const waiting = await room.keys.add({ scope: { tenant: 'a' } })
    const { keys } = await json<RotationPlan>(dry('rotate', '--all', '--json'))
    expect(keys.map(({ replaces, waiting }) => [replaces.scope, waiting?.id]).sort()).toEqual([
      ['tenant=a', waiting.id],
      ['tenant=b', undefined],
      ['the empty scope', undefined],
    ])
    expect((await dry('rotate', '--tenant', 'a')).stdout).toContain(`${waiting.id}, which waits`)
    expect(await json<Rotation[]>(strongroom('rotate', '--tenant', 'a', '--json'))).toMatchObject([
      { created: { id: waiting.id } },
    ])
  })

  test('of the root key says under which KMS keys the new one would be wrapped', async () => {
    configure('two', 'one')
    const { code, stdout, stderr } = await dry('rotate', '--purpose', 'root')
    expect([code, stderr]).toEqual([0, expect.stringContaining('nothing was changed')])
    expect(stdout).toMatch(/would rotate 1 root key\nthe new one would be wrapped under test two, test one\n$/)
    const { wraps: targets } = await json<RotationPlan>(dry('rotate', '--purpose', 'root', '--json'))
    await strongroom('rotate', '--purpose', 'root')
    expect(wraps()).toBe(targets.length)
  })

  test('fails where the rotation would', async () => {
    const suspended = await activeKey('a')
    await room.keys.suspend(suspended.id)
    for (const args of [
      ['--tenant', 'a'],
      ['--tenant', 'nobody'],
      ['--all', '--tenant', 'a'],
    ]) {
      const planned = await dry('rotate', ...args)
      expect(planned.code).not.toBe(0)
      expect(await strongroom('rotate', ...args)).toEqual(planned)
    }
  })
})

describe('strongroom rewrap --dry-run', () => {
  test('counts what the rewrap then does, and its calls to every KMS', async () => {
    await strongroom('rotate', '--purpose', 'root')
    configure('two', 'one')
    const plan = await json(dry('rewrap', '--json'))
    expect(plan).toMatchObject({
      dryRun: true,
      roots: [{ wraps: [{ keyId: 'one' }] }, { wraps: [{ keyId: 'one' }] }],
      wraps: [
        { provider: 'test', keyId: 'two' },
        { provider: 'test', keyId: 'one' },
      ],
      keys: 3,
      calls: { wrap: 4 },
    })
    expect((await dry('rewrap')).stdout).toMatch(
      /each would be wrapped under test two, test one\nkeys that would move under the active root key: 3\ncalls .*: 2 unwrap, 4 wrap\n$/,
    )
    const report = await json<RewrapReport>(strongroom('rewrap', '--json'))
    expect(report).toEqual({ roots: 2, keys: 3, missing: [] })
    expect(wraps()).toBe(4)
    expect(await json(dry('rewrap', '--json'))).toMatchObject({ keys: 0 })
  })

  test('fails where no KMS that is configured opens a root key', async () => {
    configure('two')
    const planned = await dry('rewrap')
    expect([planned.code, planned.stderr]).toEqual([1, expect.stringContaining('no configured KMS key opens this')])
  })
})

describe('strongroom keys … --dry-run', () => {
  test('says to which state each step leads, asks for nothing, and the step leads there', async () => {
    const steps: [string, string][] = [
      ['suspend', 'suspended'],
      ['resume', 'active'],
      ['compromise', 'compromised'],
      ['destroy', 'destroyed'],
    ]
    const { id } = await activeKey('a')
    for (const [step, to] of steps) {
      const key = step === 'destroy' ? (await activeKey('a')).id : id
      const rotates = step === 'compromise'
      expect(await json(dry('keys', step, key, '--json'))).toMatchObject({
        dryRun: true,
        key: { id: key },
        to,
        rotates,
      })
      expect((await dry('keys', step, key)).stdout).toContain(`and would be ${to}\n`)
      const yes = step === 'resume' ? [] : ['--yes']
      expect(await json(strongroom('keys', step, key, ...yes, '--json'))).toMatchObject({ id: key, state: to })
    }
  })

  test('refuses what the step would refuse', async () => {
    const { id } = await activeKey('a')
    const [root] = await room.keys.list({ purpose: 'root' })
    const refused: string[][] = [
      ['resume', id],
      ['cancel-retire', id],
      ['suspend', root?.id ?? ''],
      ['destroy', root?.id ?? ''],
    ]
    for (const [step = '', key = ''] of refused) {
      const planned = await dry('keys', step, key)
      expect([planned.code, planned.stdout], step).toEqual([1, ''])
      expect(
        await strongroom('keys', step, key, ...(step.startsWith('c') || step === 'resume' ? [] : ['--yes'])),
      ).toEqual(planned)
    }
    await room.keys.rotate({ scope: { tenant: 'a' } })
    await room.keys.retire(id)
    expect((await dry('keys', 'cancel-retire', id)).stdout).toContain('would be decrypt_only')
    expect((await dry('keys', 'destroy', id)).stderr).toContain(`strongroom retire ${id} --destroy`)
  })

  test('retire --dry-run is retire --check', async () => {
    const { id } = await activeKey('a')
    const looked = await dry('keys', 'retire', id)
    const checked = await strongroom('retire', id, '--check')
    const undated = (text: string) => text.replace(/\d{4}-\S+Z/g, 'a time')
    expect({ ...looked, stdout: undated(looked.stdout) }).toEqual({ ...checked, stdout: undated(checked.stdout) })
    expect(looked.stdout).toContain('no: it may not be retired')
  })
})

describe('every command', () => {
  /** Those that change nothing, or that make new things only. */
  const without: Readonly<Record<string, string>> = {
    'backup verify': 'restores into an empty database, to see whether it can',
    census: 'reads',
    doctor: 'reads',
    init: 'makes what is missing, and changes nothing that exists; --print shows its SQL',
    inspect: 'reads',
    'keys init': 'makes the first root key, where there is none',
    'keys list': 'reads',
    'keys show': 'reads',
    'keys tables': 'prints; --create makes what is missing',
    open: 'writes a new file',
    'passwords audit': 'reads',
    'passwords calibrate': 'reads',
    'prisma import': 'reads',
    'recovery create': 'writes new files',
    'recovery rehearse': 'reads',
    'report rotation': 'reads',
    'report verify': 'reads',
    seal: 'writes a new file',
    status: 'reads',
    worker: 'does what reencrypt has planned, which has one',
  }

  test('that changes something has --dry-run, but for those with a reason', () => {
    const leaves = (command: Command, name: string): [string, Command][] =>
      command.commands.length === 0
        ? [[name, command]]
        : command.commands.flatMap((one) => leaves(one, `${name} ${one.name()}`.trim()))
    const bare = leaves(createProgram(createOutput(capture().streams)), '')
      .filter(([, command]) => command.options.every(({ long }) => long !== '--dry-run'))
      .map(([name]) => name)
    expect(bare.sort()).toEqual(Object.keys(without).sort())
  })
})
