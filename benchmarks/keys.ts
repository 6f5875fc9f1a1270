import { memoryKeyStore, memoryKms } from '../providers/memory/index.ts'
import { defineRecord, defineStrongroom, openStrongroom, text } from '../src/index.ts'
import type { KeyStore } from '../src/key-store.ts'
import type { Result, Suite } from './result.ts'

const FIELDS = 5
const TENANTS = 10_000
const SUBJECTS = 100_000
const STAMPEDE = 3000

const perPerson = defineRecord(
  'people',
  { first: text(), last: text(), email: text(), phone: text(), street: text() },
  { id: 'id', tenant: 'org', subject: 'person' },
)
const perTenant = defineRecord(
  'accounts',
  { first: text(), last: text(), email: text(), phone: text(), street: text() },
  { id: 'id', tenant: 'org' },
)

/** P4 and P5: how often the KMS and the key store are asked; and what a new key and a rotation cost. */
export const keys: Suite = async ({ quick }) => [
  ...(await manyScopes(quick ? 100 : 1)),
  ...(await stampede(quick ? 50 : STAMPEDE)),
  ...(await rotation(quick ? 50 : TENANTS)),
]

/** A million fields: half of them under keys of 10,000 tenants, half under keys of 100,000 persons. */
async function manyScopes(divisor: number): Promise<Result[]> {
  const kms = memoryKms()
  const { close: _, ...lasting } = kms
  const config = defineStrongroom({
    name: 'bench',
    kms: lasting,
    store: memoryKeyStore(),
    records: { perPerson, perTenant },
  })
  const first = await openStrongroom(config, { init: true })
  await first.close()
  const callsBefore = kms.calls.wrap + kms.calls.unwrap
  const room = await openStrongroom(config)
  const tenants = TENANTS / divisor
  const subjects = SUBJECTS / divisor
  const start = performance.now()
  let fields = 0
  for (let at = 0; at < subjects; at += tenants) {
    const people = range(tenants, (i) => ({ id: at + i, org: `org ${i}`, person: `person ${at + i}`, ...values(i) }))
    const accounts = range(tenants, (i) => ({ id: at + i, org: `org ${i}`, ...values(i) }))
    const readPeople = await room.records.perPerson.decryptMany(await room.records.perPerson.encryptMany(people))
    const readAccounts = await room.records.perTenant.decryptMany(await room.records.perTenant.encryptMany(accounts))
    fields += FIELDS * (readPeople.length + readAccounts.length)
  }
  const seconds = (performance.now() - start) / 1000
  const calls = kms.calls.wrap + kms.calls.unwrap - callsBefore
  await room.close()
  const what = `${count(fields)} fields, ${count(tenants)} tenants, ${count(subjects)} persons`
  return [
    { id: 'P4 calls', what: `KMS calls for ${what}`, measured: String(calls), value: calls, target: { atMost: 1 } },
    { id: 'P4 calls', what: '  encrypting and decrypting them, keys made', measured: `${seconds.toFixed(1)} s` },
    { id: 'P4 calls', what: '  memory at its end (RSS, key store included)', measured: mib(process.memoryUsage().rss) },
  ]
}

/** Everybody wants the same cold key at once. */
async function stampede(callers: number): Promise<Result[]> {
  const kms = memoryKms()
  const { close: _, ...lasting } = kms
  const store = memoryKeyStore()
  let reads = 0
  const counted: KeyStore = {
    ...store,
    get: (ids) => {
      reads++
      return store.get(ids)
    },
    findActive: (purpose, scopes) => {
      reads++
      return store.findActive(purpose, scopes)
    },
    list: (query) => {
      reads++
      return store.list(query)
    },
  }
  const config = defineStrongroom({ name: 'bench', kms: lasting, store: counted, records: { perTenant } })
  const writer = await openStrongroom(config, { init: true })
  const sealed = await writer.records.perTenant.encryptMany([{ id: 1, org: 'acme', ...values(1) }])
  await writer.close()
  const callsBefore = kms.calls.wrap + kms.calls.unwrap
  const room = await openStrongroom(config)
  reads = 0
  await Promise.all(range(callers, () => room.records.perTenant.decryptMany(sealed)))
  const calls = kms.calls.wrap + kms.calls.unwrap - callsBefore
  await room.close()
  const what = `${count(callers)} first decrypts at once under a cold key`
  return [
    { id: 'P5 flight', what: `KMS calls, ${what}`, measured: String(calls), value: calls, target: { atMost: 1 } },
    { id: 'P5 flight', what: `store reads, ${what}`, measured: String(reads), value: reads, target: { atMost: 1 } },
  ]
}

async function rotation(tenants: number): Promise<Result[]> {
  const room = await openStrongroom(
    defineStrongroom({ name: 'bench', kms: memoryKms(), store: memoryKeyStore(), keyring: { maxKeys: 2 * tenants } }),
    { init: true },
  )
  const scopes = range(tenants, (i) => ({ tenant: `org ${i}` }))
  const started = performance.now()
  await room.keys.ensureActive(
    'data',
    scopes.map(({ tenant }) => `tenant=${encodeURIComponent(tenant)}`),
  )
  const made = performance.now()
  await room.keys.rotate({ scope: 'all' })
  const rotated = performance.now()
  await room.close()
  const us = (ms: number) => `${((ms * 1000) / tenants).toFixed(0)} µs a key`
  return [
    { id: 'keys', what: `making the keys of ${count(tenants)} tenants`, measured: us(made - started) },
    { id: 'keys', what: `rotating the keys of ${count(tenants)} tenants`, measured: us(rotated - made) },
  ]
}

function values(i: number) {
  return {
    first: `Ada ${i}`,
    last: `Lovelace ${i}`,
    email: `ada.${i}@example.com`,
    phone: `+44 20 ${i}`,
    street: `${i} Long Street`,
  }
}

function range<Value>(length: number, make: (i: number) => Value): Value[] {
  return Array.from({ length }, (_, i) => make(i))
}

function count(value: number): string {
  return value.toLocaleString('en')
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`
}
