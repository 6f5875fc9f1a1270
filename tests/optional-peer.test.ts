import { expect, it } from 'vitest'
import { ConfigError } from '../src/errors.ts'
import { importPeer } from '../src/optional-peer.ts'

const failing = (code: string, message: string) => () => Promise.reject(Object.assign(new Error(message), { code }))

it('a missing package says what to install and for what', async () => {
  const load = failing('ERR_MODULE_NOT_FOUND', "Cannot find package '@aws-sdk/client-kms' imported from x")
  const error = await importPeer('@aws-sdk/client-kms', 'awsKms', load).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(ConfigError)
  expect((error as Error).message).toBe('awsKms needs @aws-sdk/client-kms: npm install @aws-sdk/client-kms')
})

it('a package that is there but broken keeps its own error', async () => {
  const load = failing('ERR_MODULE_NOT_FOUND', "Cannot find package 'tslib' imported from x")
  await expect(importPeer('@aws-sdk/client-kms', 'awsKms', load)).rejects.toThrow(/tslib/)
})

it('a package that is there is handed over', async () => {
  expect(await importPeer('x', 'y', async () => ({ z: 1 }))).toEqual({ z: 1 })
})
