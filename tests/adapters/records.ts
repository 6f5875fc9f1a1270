import {
  bigint,
  boolean,
  bytes,
  date,
  defineRecord,
  integer,
  json,
  number,
  type Strongroom,
  text,
} from '../../src/index.ts'

/** What `json` holds in the suite. */
export interface Note {
  readonly at: string
  readonly tags: readonly string[]
}

/** One field of every type, indexes of every kind; `name_index` has so few bits that other rows always match as well. */
export const customers = defineRecord(
  'customers',
  {
    email: text({ index: { column: 'email_index', transform: 'email', unique: true } }),
    name: text({ index: { column: 'name_index', transform: 'casefold', rows: 64 } }),
    birthDate: date({ nullable: true }),
    visits: integer(),
    rating: number(),
    balance: bigint(),
    vip: boolean(),
    photo: bytes({ storage: 'binary', nullable: true }),
    notes: json<Note[]>(),
    nickname: text({ nullable: 'visible' }),
  },
  {
    id: 'id',
    tenant: 'orgId',
    plain: ['status'],
    indexes: { person_index: { fields: ['name', 'birthDate'], rows: 64 } },
  },
)

/** Belongs to a customer; its ids come from a sequence of the database. */
export const orders = defineRecord(
  'orders',
  { memo: text({ nullable: true }), amount: integer() },
  { id: 'id', tenant: 'orgId', plain: ['customerId'] },
)

export const records = { customers, orders }

/** The Strongroom that an adapter under test is given. */
export type SuiteRoom = Strongroom<typeof records>

/** A customer as the application has it. */
export interface Customer {
  readonly id: string
  readonly orgId: string
  readonly status: string
  readonly email: string
  readonly name: string
  readonly birthDate: Date | null
  readonly visits: number
  readonly rating: number
  readonly balance: bigint
  readonly vip: boolean
  readonly photo: Uint8Array | null
  readonly notes: Note[]
  readonly nickname: string | null
}

/** An order as the application has it. */
export interface Order {
  readonly id: number
  readonly orgId: string
  readonly customerId: string
  readonly memo: string | null
  readonly amount: number
}
