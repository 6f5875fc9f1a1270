import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import {
  bigint,
  boolean,
  bytes,
  date,
  defineRecord,
  integer,
  json,
  number,
  openStrongroom,
  type StrongroomConfig,
  text,
} from '../../src/index.ts'
import type { AnyRecord } from '../../src/records/record-types.ts'

/** One column of every type. */
export const every = {
  name: text(),
  age: integer(),
  score: number(),
  balance: bigint(),
  vip: boolean(),
  born: date(),
  photo: bytes(),
  notes: json<{ tags: string[] } | null>({ nullable: true }),
}

export const people = defineRecord(
  'people',
  {
    email: text({ index: { column: 'email_index', transform: 'email', rows: 1_000_000 } }),
    ssn: text({ nullable: true, index: { column: 'ssn_last4', transform: 'last4', rows: 1_000_000 } }),
    born: date({ nullable: 'visible' }),
  },
  { id: 'id', tenant: 'org', plain: ['created'] },
)

/** The people of `people`, with a key for each of them. */
export const subjects = defineRecord('subjects', { diary: text() }, { id: 'id', tenant: 'org', subject: 'person' })

/** A record in its plainest form. */
export const notes = defineRecord('notes', { body: text() }, { id: 'id' })

export const everything = defineRecord('everything', every, { id: 'id' })
export const binary = defineRecord('binary', every, { id: 'id', storage: 'binary' })

/** A row with a value of every type. */
export const sample = {
  id: 'r1',
  name: 'Zoë 🚀',
  age: -41,
  score: -0,
  balance: -(2n ** 200n),
  vip: false,
  born: new Date(-1),
  photo: new Uint8Array([0, 128, 0, 0]),
  notes: { tags: ['a', ''] },
}

/** An open room over a store in memory. */
export async function openRoom<const Records extends Readonly<Record<string, AnyRecord>>>(
  records: Records,
  config: Partial<Omit<StrongroomConfig<Records>, 'records'>> = {},
) {
  const store = config.store ?? memoryKeyStore()
  const kms = config.kms ?? memoryKms()
  const room = await openStrongroom<Records>({ name: 'tests', ...config, kms, store, records }, { init: true })
  return { room, store, kms }
}

/** What a call threw, or undefined. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call()
    return undefined
  } catch (error) {
    return error
  }
}
