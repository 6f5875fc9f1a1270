import { randomBytes } from 'node:crypto'
import * as nodeRs from '@node-rs/argon2'
import argon2 from 'argon2'
import { argon2Verify, argon2id as wasm } from 'hash-wasm'
import { describe, expect, test } from 'vitest'
import { argon2id } from '../../src/passwords/argon2id.ts'
import type { Argon2Engine, Argon2Request } from '../../src/passwords/engine.ts'
import { nodeCryptoEngine } from '../../src/passwords/engines/node-crypto.ts'
import { type Argon2EngineName, argon2EngineNames, loadEngine } from '../../src/passwords/load-engine.ts'
import { selfTest } from '../../src/passwords/self-test.ts'
import { countingEngine, small } from './fixtures.ts'

const PASSWORD = 'pässwörd ☃'
const here: Argon2EngineName[] = []
for (const name of argon2EngineNames) {
  await loadEngine(name).then(
    () => here.push(name),
    () => undefined,
  )
}

test('the two packages that this repository installs are found', () => {
  expect(here).toEqual(expect.arrayContaining(['@node-rs/argon2', 'argon2']))
})

describe.each(here)('the engine %s', (name) => {
  const hasher = argon2id({ ...small, engine: name })

  test('gives hashes that argon2, @node-rs/argon2 and hash-wasm verify', async () => {
    const stored = await hasher.hash(PASSWORD)
    for (const [password, valid] of [
      [PASSWORD, true],
      ['wrong', false],
    ] as const) {
      expect(await argon2.verify(stored, password)).toBe(valid)
      expect(await nodeRs.verify(stored, password)).toBe(valid)
      expect(await argon2Verify({ password, hash: stored })).toBe(valid)
    }
  })

  test('verifies the hashes of argon2, @node-rs/argon2 and hash-wasm', async () => {
    const cost = { memoryCost: 1024, timeCost: 2, parallelism: 1 }
    for (const stored of [
      await argon2.hash(PASSWORD, cost),
      await nodeRs.hash(PASSWORD, cost),
      await wasm({
        password: PASSWORD,
        salt: randomBytes(16),
        memorySize: 1024,
        iterations: 2,
        parallelism: 1,
        hashLength: 32,
        outputType: 'encoded',
      }),
    ]) {
      expect(await hasher.verify(PASSWORD, stored)).toEqual({ valid: true })
      expect(await hasher.verify('wrong', stored)).toEqual({ valid: false })
    }
  })

  test('reads version 1.0 and associated data, if need be by the argon2 package', async () => {
    const cost = { memoryCost: 1024, timeCost: 2, parallelism: 1 }
    const old = await argon2.hash(PASSWORD, { ...cost, version: 16, type: argon2.argon2i })
    const bound = await argon2.hash(PASSWORD, { ...cost, associatedData: Buffer.from('user 7') })
    expect(bound).toContain(',data=')
    expect(await hasher.verify(PASSWORD, old)).toMatchObject({ valid: true, rehash: expect.any(String) })
    expect((await hasher.verify(PASSWORD, bound)).valid).toBe(true)
    expect((await hasher.verify(PASSWORD, bound.replace(/data=./, 'data=A'))).valid).toBe(false)
  })
})

test('all engines compute the same bytes', async () => {
  const engines = await Promise.all(here.map(loadEngine))
  for (const type of ['argon2id', 'argon2i', 'argon2d'] as const) {
    for (const parallelism of [1, 4]) {
      const request: Argon2Request = {
        type,
        version: 19,
        memoryKiB: 64,
        passes: 2,
        parallelism,
        hashLength: 48,
        password: Buffer.from(PASSWORD),
        salt: Buffer.alloc(16, parallelism),
      }
      const hashes = await Promise.all(engines.map(async (engine) => (await engine.hash(request)).toString('hex')))
      expect(new Set(hashes).size).toBe(1)
    }
  }
})

test("node:crypto's argon2 is called by its own names", async () => {
  const { engine } = await countingEngine()
  const stand_in = nodeCryptoEngine((algorithm, { message, nonce, tagLength, memory, ...rest }, callback) => {
    const request = { ...rest, type: algorithm as 'argon2id', version: 19, hashLength: tagLength } as const
    engine.hash({ ...request, memoryKiB: memory, password: message, salt: nonce }).then(
      (hash) => callback(null, hash),
      (error) => callback(error, Buffer.alloc(0)),
    )
  })
  await selfTest(stand_in)
  const hasher = argon2id({ ...small, engine: stand_in })
  expect(await argon2.verify(await hasher.hash(PASSWORD), PASSWORD)).toBe(true)
  const failing = nodeCryptoEngine((_, __, callback) => callback(new Error('out of memory'), Buffer.alloc(0)))
  await expect(failing.hash({ salt: Buffer.alloc(8) } as unknown as Argon2Request)).rejects.toThrow('out of memory')
})

test('an engine that computes wrong hashes is refused before it hashes a password', async () => {
  const { engine } = await countingEngine()
  const calls: Argon2Request[] = []
  for (const supports of [true, false]) {
    const broken: Argon2Engine = {
      name: 'broken',
      supports: () => supports,
      hash: async (request) => {
        calls.push(request)
        const hash = await engine.hash(request)
        hash[0] = (hash[0] as number) ^ 1
        return hash
      },
    }
    const hasher = argon2id({ ...small, engine: broken })
    await expect(hasher.hash(PASSWORD)).rejects.toMatchObject({ code: 'ERR_CONFIG', message: /broken computes wrong/ })
    await expect(hasher.verify(PASSWORD, undefined)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  }
  expect(calls.every(({ password }) => password[0] === 1)).toBe(true)
})

test('an unknown engine is refused at once, and a missing one says how to get it', async () => {
  for (const engine of ['bcrypt', 7, null, {}, { hash: () => undefined }]) {
    expect(() => argon2id({ engine: engine as unknown as Argon2Engine })).toThrow(/engine must be/)
  }
  const missing = argon2EngineNames.filter((name) => !here.includes(name))
  for (const engine of missing) {
    await expect(argon2id({ engine }).hash(PASSWORD)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: /cannot be loaded/,
    })
  }
})
