import { describe, expectTypeOf, test } from 'vitest'
import {
  type BlindIndexText,
  bigint,
  boolean,
  bytes,
  type CiphertextBytes,
  type CiphertextText,
  date,
  defineRecord,
  type InferRow,
  integer,
  json,
  type RowId,
  type Strongroom,
  text,
} from '../../src/index.ts'

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const equals = <A, B>(same: Equals<A, B>) => same

const people = defineRecord(
  'people',
  {
    email: text({ index: { column: 'email_index', transform: 'email', rows: 1_000_000 } }),
    ssn: text({ nullable: true }),
    born: date({ nullable: 'visible' }),
    age: integer(),
    balance: bigint(),
    vip: boolean(),
    photo: bytes({ storage: 'binary' }),
    notes: json<{ tags: string[] }>(),
  },
  { id: 'id', tenant: 'org', plain: ['created'] },
)
declare const room: Strongroom<{ people: typeof people }>

describe('a record', () => {
  test('infers a flat row', () => {
    equals<
      InferRow<typeof people>,
      {
        readonly id: RowId
        readonly org: RowId
        readonly email: string
        readonly ssn: string | null
        readonly born: Date | null
        readonly age: number
        readonly balance: bigint
        readonly vip: boolean
        readonly photo: Uint8Array
        readonly notes: { tags: string[] }
      }
    >(true)
    expectTypeOf<InferRow<typeof people>>().not.toBeAny()
  })

  test('encrypts to branded columns, and adds the index columns of what was given', () => {
    const stored = room.records.people.encrypt({ id: 1, org: 'a', email: 'x', born: null, photo: new Uint8Array() })
    equals<
      typeof stored,
      {
        id: number
        org: string
        email: CiphertextText
        born: CiphertextText | null
        photo: CiphertextBytes
        email_index: BlindIndexText | null
      }
    >(true)
    expectTypeOf(stored).not.toBeAny()
    expectTypeOf(stored.email).not.toBeAny()
  })

  test('decrypts to values, without the index columns, with the rest as it was', () => {
    const row = { id: 1, org: 'a', email: 'sr1_', email_index: 'ff', age: 'sr1_', created: new Date() }
    const user = room.records.people.decrypt(row)
    equals<typeof user, { id: number; org: string; email: string; age: number; created: Date }>(true)
    expectTypeOf(user.email).not.toBeAny()
  })
})

describe('misuse does not compile', () => {
  const cipher = room.records.people
  test('in rows', () => {
    const cases = () => {
      // @ts-expect-error the id is missing
      cipher.encrypt({ org: 'a', email: 'x' })
      // @ts-expect-error the tenant is missing
      cipher.encrypt({ id: 1, email: 'x' })
      // @ts-expect-error a number is no text
      cipher.encrypt({ id: 1, org: 'a', email: 5 })
      // @ts-expect-error null is not declared
      cipher.encrypt({ id: 1, org: 'a', email: null })
      // @ts-expect-error a column that nobody declared
      cipher.encrypt({ id: 1, org: 'a', email: 'x', phone: '1' })
      // @ts-expect-error decrypting needs to know the row
      cipher.decrypt({ org: 'a', email: 'sr1_' })
      // @ts-expect-error no nonce is ever taken
      cipher.encrypt({ id: 1, org: 'a', email: 'x' }, { nonce: new Uint8Array(24) })
    }
    expectTypeOf(cases).toBeFunction()
  })

  test('in searches', () => {
    const cases = () => {
      // @ts-expect-error a field without an index
      cipher.index('ssn', 'x', { tenant: 'a' })
      // @ts-expect-error the wrong type of value
      cipher.index('email', 5, { tenant: 'a' })
      // @ts-expect-error no such column
      cipher.index('mail', 'x', { tenant: 'a' })
      // @ts-expect-error booleans have too few values to be indexed
      boolean({ index: { column: 'i', rows: 1000 } })
      // @ts-expect-error JSON cannot be indexed
      json({ index: { column: 'i', rows: 1000 } })
    }
    expectTypeOf(cases).toBeFunction()
  })

  test('in declarations and single values', () => {
    const cases = () => {
      // @ts-expect-error neither an id nor unbound
      defineRecord('r', { a: text() }, {})
      // @ts-expect-error no such storage
      text({ storage: 'base64' })
      // @ts-expect-error a value is bound to a context
      room.encrypt('x')
      // @ts-expect-error a value is read under its context
      room.decrypt('sr1_')
      // @ts-expect-error no key is ever taken
      room.encrypt('x', { context: {}, key: 'secret' })
      // @ts-expect-error context values are strings
      room.encrypt('x', { context: { id: 5 } })
      // @ts-expect-error a record that was not declared
      room.records.persons.encrypt({ id: 1 })
    }
    expectTypeOf(cases).toBeFunction()
  })
})
