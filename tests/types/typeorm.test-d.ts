import { type DataSource, type EntityManager, EntitySchema } from 'typeorm'
import { describe, expectTypeOf, test } from 'vitest'
import { encryptedEntity, entityColumns } from '../../providers/typeorm/index.ts'
import { type Customer, records, type SuiteRoom } from '../adapters/records.ts'

const Customers = new EntitySchema<Customer>({
  name: 'Customer',
  columns: { id: { type: 'text', primary: true }, ...entityColumns(records.customers) },
})
declare const source: DataSource
declare const manager: EntityManager
declare const room: SuiteRoom
const sealed = () => encryptedEntity(source, Customers, room.records.customers)

describe('an encrypted entity', () => {
  test('has the types of its record', () => {
    const cases = async () => {
      const [row] = await manager.find(Customers)
      expectTypeOf(row?.birthDate).toEqualTypeOf<Date | null | undefined>()
      expectTypeOf(row?.balance).toEqualTypeOf<bigint | undefined>()
      const [found] = await sealed().search(manager, 'email', 'ada@example.com', { tenant: 'acme' })
      expectTypeOf(found?.visits).toEqualTypeOf<number | undefined>()
      // @ts-expect-error no such column
      entityColumns(records.customers).nothing
    }
    expectTypeOf(cases).toBeFunction()
  })

  test('is changed by its id and tenant, to values of its types', () => {
    const cases = async () => {
      sealed().update(manager, { id: 'x', orgId: 'acme' }, { birthDate: new Date(), visits: 1 })
      // @ts-expect-error without its tenant
      sealed().update(manager, { id: 'x' }, { visits: 1 })
      // @ts-expect-error a number
      sealed().update(manager, { id: 'x', orgId: 'acme' }, { visits: '1' })
      // @ts-expect-error another tenant
      sealed().update(manager, { id: 'x', orgId: 'acme' }, { orgId: 'globex' })
    }
    expectTypeOf(cases).toBeFunction()
  })

  test('is found by its indexes alone', () => {
    const cases = async () => {
      sealed().updateMany(manager, { status: 'new' }, { visits: 1 })
      // @ts-expect-error encrypted
      sealed().updateMany(manager, { email: 'ada@example.com' }, { visits: 1 })
      // @ts-expect-error encrypted
      sealed().search(manager, 'name', 'Ada', { tenant: 'acme' }, { where: { email: 'ada@example.com' } })
      // @ts-expect-error not indexed
      sealed().search(manager, 'visits', 1, { tenant: 'acme' })
      // @ts-expect-error a date
      sealed().search(manager, 'person_index', { name: 'Ada', birthDate: '2001-01-01' }, { tenant: 'acme' })
    }
    expectTypeOf(cases).toBeFunction()
  })
})
