import { memoryKeyStore, memoryKms } from '../providers/testing/index.ts'
import { openStrongroom } from '../src/strongroom.ts'

/** How often many callers at once, none of whose keys is in memory, reached the services and the store. */
export interface StampedeReport {
  readonly callers: number
  readonly decrypted: number
  /** Unwraps that each of the two services saw: one service is enough, so one of them sees one. */
  readonly kmsCalls: readonly number[]
  readonly storeReads: number
}

/** Opens a Strongroom on two services, cold, and lets all callers decrypt at once under one key of a tenant. */
export async function stampedeRun(callers = 3000): Promise<StampedeReport> {
  const store = memoryKeyStore()
  const kms = ['first', 'second'].map((name) => memoryKms({ name }))
  const lasting = kms.map(({ close: _, ...service }) => service)
  const tenant = { tenant: 'acme' }
  const context = { purpose: 'stampede' }
  const writer = await openStrongroom({ name: 'bench', kms: lasting, store }, { init: true })
  await writer.unlock([tenant])
  const ciphertext = writer.encrypt('hello', { context, scope: tenant })
  await writer.close()

  const before = kms.map(({ calls }) => calls.unwrap)
  const cold = await openStrongroom({ name: 'bench', kms: lasting, store })
  let storeReads = 0
  const counted = store.findActive
  store.findActive = (purpose, scopes) => {
    storeReads++
    return counted(purpose, scopes)
  }
  const values = await Promise.all(
    Array.from({ length: callers }, async () => {
      await cold.unlock([tenant])
      return cold.decrypt(ciphertext, { context, scope: tenant })
    }),
  )
  await cold.close()
  return {
    callers,
    decrypted: values.filter((value) => value === 'hello').length,
    kmsCalls: kms.map(({ calls }, at) => calls.unwrap - (before[at] as number)),
    storeReads,
  }
}
