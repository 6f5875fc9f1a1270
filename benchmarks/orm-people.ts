import type pg from 'pg'
import { memoryKeyStore, memoryKms } from '../providers/memory/index.ts'
import { date, defineRecord, integer, json, openStrongroom, type Strongroom, text } from '../src/index.ts'
import type { Job } from './orm-job.ts'

/** What the mappers without a schema of their own read and insert. */
export const people = defineRecord(
  'people',
  {
    email: text({ index: { column: 'email_index', transform: 'email', unique: true } }),
    name: text(),
    born: date(),
    salary: integer(),
    notes: json<string[]>(),
  },
  { id: 'id', tenant: 'org' },
)

/** A row of either table: of values, or of ciphertexts that were made before. */
export interface Row {
  readonly id: string
  readonly org: string
  readonly [column: string]: unknown
}

export const ORG = 'acme'

/** Thrown to undo an insert, so that each run finds the table as it was. */
export const UNDO = new Error('undo')

export const undone = (error: unknown): void => {
  if (error !== UNDO) throw error
}

/** The two jobs of a mapper, on the table `plain` and on the table `people`. */
export interface PeopleJobs {
  insert(table: 'plain' | 'people', rows: readonly Row[]): Promise<unknown>
  insertEncrypted(rows: readonly Row[]): Promise<unknown>
  read(table: 'plain' | 'people'): Promise<unknown>
  readEncrypted(): Promise<unknown>
}

/** The tables, a Strongroom, and the rows that are read and inserted. */
export class People {
  readonly pool: pg.Pool
  readonly room: Strongroom<{ people: typeof people }>
  readonly #found: readonly Row[]
  readonly #rows: readonly Row[]
  readonly #stored: readonly Row[]

  private constructor(pool: pg.Pool, room: People['room'], rows: readonly Row[][]) {
    this.pool = pool
    this.room = room
    ;[this.#found, this.#rows, this.#stored] = rows as [Row[], Row[], Row[]]
  }

  static async open(pool: pg.Pool, count: number): Promise<People> {
    const config = { name: 'bench', kms: memoryKms(), store: memoryKeyStore(), records: { people } }
    const room = await openStrongroom(config, { init: true })
    await room.unlock([{ tenant: ORG }])
    await pool.query(TABLES)
    const encrypt = async (rows: readonly Row[]) => (await room.records.people.encryptMany(rows as never)) as Row[]
    const kept = peopleRows(count, 'row')
    const found = await encrypt(kept)
    await fill(pool, 'plain', kept)
    await fill(pool, 'people', found)
    const rows = peopleRows(count, 'other')
    return new People(pool, room, [found, rows, await encrypt(rows)])
  }

  /** What is measured of a mapper. */
  jobs(mapper: PeopleJobs): { read: Job; insert: Job } {
    const cipher = this.room.records.people
    return {
      read: {
        plain: () => mapper.read('plain'),
        stored: () => mapper.read('people'),
        encrypted: () => mapper.readEncrypted(),
        bare: () => cipher.decryptMany(this.#found),
      },
      insert: {
        plain: () => mapper.insert('plain', this.#rows),
        stored: () => mapper.insert('people', this.#stored),
        encrypted: () => mapper.insertEncrypted(this.#rows),
        bare: () => cipher.encryptMany(this.#rows as never),
      },
    }
  }
}

const TABLES = `
  create unlogged table plain (id text primary key, org text, email text, name text, born timestamptz, salary int, notes jsonb);
  create unlogged table people (id text primary key, org text, email text, name text, born text, salary text, notes text, email_index text)`

function peopleRows(count: number, prefix: string): Row[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `${prefix} ${at}`,
    org: ORG,
    email: `${prefix}${at}@example.com`,
    name: `Person Number ${at}`,
    born: new Date(Date.UTC(1950 + (at % 50), at % 12, 1)),
    salary: 1_000 + at,
    notes: ['one', `two ${at}`],
  }))
}

/** Objects as an application makes them for an insert: not copies, which are slow to write to once another copy was. */
export function newObjects(rows: readonly Row[]): Row[] {
  return rows.map(({ id, org, email, name, born, salary, notes, email_index }) => {
    return email_index === undefined
      ? { id, org, email, name, born, salary, notes }
      : { id, org, email, name, born, salary, notes, email_index }
  })
}

async function fill(pool: pg.Pool, table: string, rows: readonly Row[]): Promise<void> {
  const list = JSON.stringify(rows)
  await pool.query(
    `insert into ${table} select (jsonb_populate_record(null::${table}, value)).* from jsonb_array_elements($1)`,
    [list],
  )
}
