import { describe, expectTypeOf, test } from 'vitest'
import { memoryKeyStore, memoryKms, memoryShredLedger } from '../../providers/memory/index.ts'
import {
  defineRecord,
  defineStrongroom,
  type KeyInfo,
  type Proved,
  type RetireOverride,
  type RetireVerdict,
  type RotationReport,
  retireKey,
  retireVerdict,
  rotationReport,
  type ShredReceipt,
  type Strongroom,
  shred,
  text,
} from '../../src/index.ts'

declare const room: Strongroom
const users = defineRecord('users', { email: text() }, { id: 'id' })
const config = defineStrongroom({
  name: 'types',
  kms: memoryKms(),
  store: memoryKeyStore(),
  shredLedger: memoryShredLedger(),
  records: { users },
  tables: {},
  backups: { keepDays: 35, keyStoreKeepDays: 14 },
  quarantineDays: 7,
})

describe('retiring, shredding and reporting', () => {
  test('take the configuration as it is', () => {
    expectTypeOf(retireVerdict(config, room.keys, 'id')).resolves.toEqualTypeOf<RetireVerdict>()
    expectTypeOf(retireKey(config, room.keys, 'id', 'retire')).resolves.toEqualTypeOf<{
      readonly verdict: RetireVerdict
      readonly key: KeyInfo
    }>()
    expectTypeOf(shred(config, room.keys, { tenant: 'a', subject: '7' })).resolves.toEqualTypeOf<Proved<ShredReceipt>>()
    expectTypeOf(rotationReport(config, room.keys)).resolves.toEqualTypeOf<Proved<RotationReport>>()
    expectTypeOf<ShredReceipt>().not.toBeAny()
    expectTypeOf<RetireVerdict['checks'][number]['result']>().toEqualTypeOf<'ok' | 'no' | 'later' | 'overridden'>()
  })

  test('refuse what cannot be overridden, other steps and other parts of a scope', () => {
    expectTypeOf<RetireOverride>().toEqualTypeOf<'uncounted' | 'quarantine' | 'attempts' | 'backups'>()
    // @ts-expect-error rows that are left cannot be overridden
    retireVerdict(config, room.keys, 'id', { override: ['rows'] })
    // @ts-expect-error there are two steps
    retireKey(config, room.keys, 'id', 'forget')
    // @ts-expect-error a scope has tenant, subject and bucket
    shred(config, room.keys, { user: '7' })
    // @ts-expect-error days are a number
    defineStrongroom({ name: 'x', kms: memoryKms(), store: memoryKeyStore(), backups: { keepDays: '35' } })
  })
})
