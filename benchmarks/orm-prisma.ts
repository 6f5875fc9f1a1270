import pg from 'pg'
import { memoryKeyStore, memoryKms } from '../providers/memory/index.ts'
import { strongroomPrisma } from '../providers/prisma/index.ts'
import { defineRecord, openStrongroom, text } from '../src/index.ts'
import {
  type AnyPrisma,
  openFieldEncryption,
  openPrisma,
  type PrismaVersion,
} from '../tests/providers/prisma/clients.ts'
import { emptyDatabase } from './orm-database.ts'
import type { Job, Mapper } from './orm-job.ts'
import { Probe } from './orm-probe.ts'

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

/** The table of the model in two databases, with and without encryption, each empty or with the rows that are read. */
class Tables {
  readonly url: string
  readonly plainUrl: string
  readonly rows: readonly Patient[]
  readonly #pools: readonly pg.Pool[]
  #isFilled = false

  private constructor(urls: readonly [string, string], pools: readonly pg.Pool[], rows: readonly Patient[]) {
    ;[this.url, this.plainUrl] = urls
    this.#pools = pools
    this.rows = rows
  }

  static async make(pool: pg.Pool, url: string, count: number): Promise<Tables> {
    const plainUrl = await emptyDatabase(url, `${new URL(url).pathname.slice(1)}_plain`)
    const pools = [pool, new pg.Pool({ connectionString: plainUrl })]
    for (const each of pools) await each.query(TABLE)
    return new Tables([url, plainUrl], pools, patientRows(count))
  }

  /** Makes sure that both hold the rows that are read. */
  async fill(fill: () => Promise<unknown>): Promise<void> {
    if (this.#isFilled) return
    await this.empty()
    await fill()
    this.#isFilled = true
  }

  async empty(): Promise<void> {
    this.#isFilled = false
    for (const pool of this.#pools) await pool.query('truncate patients')
  }

  async close(): Promise<void> {
    await this.#pools[1]?.end()
  }
}

/** Prisma with and without the extension. */
export async function prismaMapper(version: PrismaVersion, pool: pg.Pool, url: string, count: number): Promise<Mapper> {
  const { name, missing } = version
  if (missing !== undefined) return { name, missing }
  const tables = await Tables.make(pool, url, count)
  const config = { name: 'bench', kms: memoryKms(), store: memoryKeyStore(), records: { patients } }
  const room = await openStrongroom(config, { init: true })
  const cipher = room.records.patients
  const { rows } = tables
  const found = (await cipher.encryptMany(rows)).map(({ email_index: _, ...row }) => row)
  const plain = await openPrisma(version, tables.plainUrl)
  const stored = await openPrisma(version, tables.url)
  const probe = new Probe()
  const db: AnyPrisma = strongroomPrisma(room, { models: { Patient: patients } })(probe.behindFirstOf(stored))
  const mapperMs = () => probe.lastMs
  const omit = { email_index: true }
  const values = rows.map((row) => ({ ...row, email_index: row.email }))
  const insertPlain = () => plain.patient.createMany({ data: values })
  const insertEncrypted = () => db.patient.createMany({ data: rows })
  return {
    name,
    read: {
      before: () => tables.fill(() => Promise.all([insertPlain(), insertEncrypted()])),
      plain: () => plain.patient.findMany({ omit }),
      encrypted: () => db.patient.findMany(),
      mapperMs,
      bare: () => cipher.decryptMany(found),
    },
    insert: {
      before: () => tables.empty(),
      plain: insertPlain,
      encrypted: insertEncrypted,
      mapperMs,
      bare: () => cipher.encryptMany(rows),
    },
    close: async () => {
      await plain.$disconnect()
      await stored.$disconnect()
      await room.close()
      await tables.close()
    },
  }
}

/**
 * prisma-field-encryption on the last Prisma that it supports. Its searches need a hash, which any reader of the table can
 * compute; it binds no context.
 */
export async function fieldEncryptionMapper(pool: pg.Pool, url: string, count: number): Promise<Mapper> {
  const name = 'prisma-field-encryption 1.6 on Prisma 6.15'
  const tables = await Tables.make(pool, url, count)
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
    before: () => tables.fill(() => Promise.all([insertPlain(), insertEncrypted()])),
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
