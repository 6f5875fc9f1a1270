import pg from 'pg'
import { memoryKeyStore, memoryKms } from '../providers/memory/index.ts'
import { strongroomPrisma } from '../providers/prisma/index.ts'
import { defineRecord, openStrongroom, text } from '../src/index.ts'
import { type AnyPrisma, openFieldEncryption, openPrisma, PRISMA_VERSIONS } from '../tests/providers/prisma/clients.ts'
import type { Job, Mapper } from './orm-job.ts'

const patients = defineRecord(
  'patients',
  {
    email: text({ index: { column: 'email_index', transform: 'email', unique: true } }),
    note: text({ nullable: 'visible' }),
  },
  { id: 'id', plain: ['ward'] },
)

const TABLE = `create unlogged table patients (
  id text primary key, email text not null, email_index text unique, "emailHash" text unique, note text, ward text not null)`

/** Prisma 6 and 7 with Strongroom, and prisma-field-encryption on the last Prisma that it supports. */
export async function prismaMappers(url: string, pool: pg.Pool, count: number): Promise<Mapper[]> {
  const tables = await Tables.make(url, pool, count)
  const mappers: Mapper[] = []
  for (const version of PRISMA_VERSIONS) {
    const { name, missing } = version
    mappers.push(missing === undefined ? await strongroom(version, tables) : { name, missing })
  }
  return [...mappers, await fieldEncryption(tables)]
}

/** The table of the models in two databases, with and without encryption, each empty or with the rows that are read. */
class Tables {
  readonly url: string
  readonly plainUrl: string
  readonly rows: readonly Patient[]
  readonly #pools: readonly pg.Pool[]
  #holds = ''

  private constructor(urls: readonly [string, string], pools: readonly pg.Pool[], rows: readonly Patient[]) {
    ;[this.url, this.plainUrl] = urls
    this.#pools = pools
    this.rows = rows
  }

  static async make(url: string, pool: pg.Pool, count: number): Promise<Tables> {
    const other = new URL(url)
    other.pathname = '/without'
    await pool.query('create database without')
    const pools = [pool, new pg.Pool({ connectionString: other.href })]
    for (const each of pools) await each.query(TABLE)
    return new Tables([url, other.href], pools, patientRows(count))
  }

  /** Makes sure that both hold the rows of this mapper. */
  async fill(name: string, fill: () => Promise<unknown>): Promise<void> {
    if (this.#holds === name) return
    await this.empty()
    await fill()
    this.#holds = name
  }

  async empty(): Promise<void> {
    this.#holds = ''
    for (const pool of this.#pools) await pool.query('truncate patients')
  }

  async close(): Promise<void> {
    await this.#pools[1]?.end()
  }
}

async function strongroom(version: (typeof PRISMA_VERSIONS)[number], tables: Tables): Promise<Mapper> {
  const config = { name: 'bench', kms: memoryKms(), store: memoryKeyStore(), records: { patients } }
  const room = await openStrongroom(config, { init: true })
  const cipher = room.records.patients
  const { rows } = tables
  const encrypted = await cipher.encryptMany(rows)
  const found = encrypted.map(({ email_index: _, ...row }) => row)
  const plain = await openPrisma(version, tables.plainUrl)
  const stored = await openPrisma(version, tables.url)
  const db: AnyPrisma = stored.$extends(strongroomPrisma(room, { models: { Patient: patients } }))
  const omit = { email_index: true }
  const values = rows.map((row) => ({ ...row, email_index: row.email }))
  const insertPlain = () => plain.patient.createMany({ data: values })
  const insertEncrypted = () => db.patient.createMany({ data: rows })
  return {
    name: version.name,
    read: {
      before: () => tables.fill(version.name, () => Promise.all([insertPlain(), insertEncrypted()])),
      plain: () => plain.patient.findMany({ omit }),
      stored: () => stored.patient.findMany({ omit }),
      encrypted: () => db.patient.findMany(),
      bare: () => cipher.decryptMany(found),
    },
    insert: {
      before: () => tables.empty(),
      plain: insertPlain,
      stored: () => stored.patient.createMany({ data: encrypted }),
      encrypted: insertEncrypted,
      bare: () => cipher.encryptMany(rows),
    },
    close: async () => {
      await plain.$disconnect()
      await stored.$disconnect()
      await room.close()
    },
  }
}

/** Its searches need a hash, which any reader of the table can compute; it binds no context. */
async function fieldEncryption(tables: Tables): Promise<Mapper> {
  const name = 'prisma-field-encryption 1.6 on Prisma 6.15'
  const key = `k1.aesgcm256.${Buffer.alloc(32, 7).toString('base64url')}=`
  const opened = await openFieldEncryption(tables.url, key)
  if (typeof opened === 'string') return { name, missing: opened, close: () => tables.close() }
  const without = await openFieldEncryption(tables.plainUrl, key)
  if (typeof without === 'string') throw new Error(without)
  const { rows } = tables
  const values = rows.map((row) => ({ ...row, emailHash: row.email }))
  const insertPlain = () => without.plain.patient.createMany({ data: values })
  const insertEncrypted = () => opened.db.patient.createMany({ data: rows })
  const read: Job = {
    before: () => tables.fill(name, () => Promise.all([insertPlain(), insertEncrypted()])),
    plain: () => without.plain.patient.findMany(),
    encrypted: () => opened.db.patient.findMany(),
  }
  const insert: Job = { before: () => tables.empty(), plain: insertPlain, encrypted: insertEncrypted }
  const close = () => Promise.all([opened.plain.$disconnect(), without.plain.$disconnect(), tables.close()])
  return { name, read, insert, close }
}

interface Patient {
  readonly id: string
  readonly email: string
  readonly note: string
  readonly ward: string
}

function patientRows(count: number): Patient[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `p${at}`,
    email: `patient${at}@example.com`,
    note: `came ${at} times, and will come again`,
    ward: 'north',
  }))
}
