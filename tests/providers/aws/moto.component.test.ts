import { randomBytes, randomUUID } from 'node:crypto'
import { DynamoDB } from '@aws-sdk/client-dynamodb'
import { KMS } from '@aws-sdk/client-kms'
import { afterAll, expect, it } from 'vitest'
import { awsKms, dynamoKeyStore } from '../../../providers/aws/index.ts'
import { keyStoreConformance, kmsConformance, memoryKms } from '../../../providers/testing/index.ts'
import { sampleRecord } from '../../../providers/testing/sample-records.ts'
import { InvalidInputError, KeyStoreError } from '../../../src/errors.ts'
import { openStrongroom } from '../../../src/strongroom.ts'
import { describeComponent } from '../../components/component.ts'
import { motoMissing, startMoto, type TestMoto } from '../../fixtures/moto.ts'

/** The promises that are about conditions and transactions. */
const QUICK = /revision|one active key|swapped|generation is used once|whole or not|of 20 that rotate|log grows|filters/

const missing = motoMissing()
const moto = missing === undefined ? await startMoto() : undefined
const { connection } = moto ?? ({ connection: {} } as TestMoto)
afterAll(async () => moto?.stop())

describeComponent('awsKms on moto, with the real client', missing, () => {
  const newKey = async () => {
    const admin = new KMS(connection)
    const { KeyMetadata } = await admin.createKey({})
    admin.destroy()
    return KeyMetadata?.Arn as string
  }
  const harness = async () => {
    const provider = awsKms({ keyId: await newKey(), ...connection })
    const other = awsKms({ keyId: await newKey(), ...connection })
    return {
      provider,
      other,
      close: async () => void (await Promise.all([provider.close?.(), other.close?.()])),
    }
  }
  for (const { name, run } of kmsConformance(harness)) it(name, run)

  it('works by alias as well', async () => {
    const admin = new KMS(connection)
    const { KeyMetadata } = await admin.createKey({})
    await admin.createAlias({ AliasName: 'alias/app', TargetKeyId: KeyMetadata?.KeyId })
    admin.destroy()
    const key = randomBytes(32)
    const provider = awsKms({ keyId: 'alias/app', ...connection })
    const wrapped = await provider.wrap(key, { context: { a: '1' } })
    expect(wrapped.keyId).toBe(KeyMetadata?.Arn)
    expect(await provider.unwrap(wrapped, { context: { a: '1' } })).toEqual(key)
    await provider.close?.()
  })
})

describeComponent('dynamoKeyStore on moto, with the real client', missing, () => {
  const make = (table = `keys-${randomUUID()}`) =>
    dynamoKeyStore({ tableName: table, createTable: true, ...connection })
  const harness = async () => {
    const table = `keys-${randomUUID()}`
    const [store, second] = [make(table), make(table)]
    await store.list({ limit: 1 })
    return {
      store,
      second,
      largestCommit: store.maxCommit as number,
      close: async () => void (await Promise.all([store.close?.(), second.close?.()])),
    }
  }
  // moto copies the whole table for every transaction, so the full suite takes minutes where others work beside it.
  const slow = process.env.STRONGROOM_SLOW === '1'
  for (const { name, run } of keyStoreConformance(harness)) it.runIf(slow || QUICK.test(name))(name, run, 600_000)

  it('refuses a commit that does not fit one transaction, whole and before writing', async () => {
    const store = make()
    const puts = Array.from({ length: 51 }, (_, at) => ({ record: sampleRecord({ scope: `s${at}` }), replaces: null }))
    await expect(store.commit({ puts, log: null })).rejects.toThrow(InvalidInputError)
    expect(await store.list({ limit: 10 })).toEqual([])
    await store.close?.()
  })

  it('carries a Strongroom of many tenants through all rotations, though it takes 49 records at a time', async () => {
    const table = `keys-${randomUUID()}`
    const kms = memoryKms()
    const config = () => ({ name: 'app', kms: { ...kms, close: async () => undefined }, store: make(table) })
    const room = await openStrongroom(config(), { init: true })
    const scopes = Array.from({ length: 60 }, (_, at) => ({ tenant: `t${at}` }))
    await room.unlock(scopes)
    const of = (scope: { tenant: string }) => ({ context: { tenant: scope.tenant }, scope })
    const values = scopes.map((scope) => room.encrypt(`of ${scope.tenant}`, of(scope)))

    const rotated = await room.keys.rotate({ scope: 'all' })
    expect(rotated).toHaveLength(scopes.length + 1) // and the empty scope
    expect(rotated.every(({ replaced }) => replaced?.state === 'decrypt_only')).toBe(true)
    await room.keys.rotate({ purpose: 'root' })
    expect(await room.keys.rewrap()).toEqual({ roots: 2, keys: 2 * rotated.length, missing: [] })
    const [oldRoot] = await room.keys.list({ purpose: 'root', state: 'decrypt_only' })
    await room.keys.retire(oldRoot?.id as string)
    await room.keys.destroy(oldRoot?.id as string)
    await room.close()

    const later = await openStrongroom(config())
    await later.unlock(scopes)
    for (const [at, scope] of scopes.entries()) {
      expect(later.decrypt(values[at] as string, of(scope))).toBe(`of ${scope.tenant}`)
    }
    await later.close()
  }, 180_000)

  it('keeps scopes that are longer than a sort key, and reads lists longer than a page', async () => {
    const store = make()
    const records = Array.from({ length: 49 }, (_, at) => sampleRecord({ scope: `${'長'.repeat(1000)}${at}` }))
    await store.commit({ puts: records.map((record) => ({ record, replaces: null })), log: null })
    expect(await store.list({ limit: 1000, scopePrefix: '長'.repeat(1000) })).toHaveLength(49)
    expect(await store.findActive('data', [records[7]?.scope as string])).toEqual([records[7]])
    await store.close?.()
  })

  it('a table that does not exist is misconfigured, and is not made unasked', async () => {
    const store = dynamoKeyStore({ tableName: 'no-such-table', ...connection })
    await expect(store.get(['0'.repeat(32)])).rejects.toMatchObject({ fault: 'misconfigured' })
    await store.close?.()
  })

  it('an item that is not one of a key store is corrupt', async () => {
    const table = `keys-${randomUUID()}`
    const store = make(table)
    await store.list({ limit: 1 })
    const client = new DynamoDB(connection)
    await client.putItem({ TableName: table, Item: { pk: { S: 'record' }, sk: { S: 'x' } } })
    await expect(store.list({ limit: 1 })).rejects.toThrow(KeyStoreError)
    client.destroy()
    await store.close?.()
  })
})
