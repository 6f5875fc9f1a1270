import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { postgresTable } from '../../../providers/postgres/index.ts'
import { prismaRelations, strongroomPrisma } from '../../../providers/prisma/index.ts'
import { run } from '../../../src/cli/program.ts'
import {
  type AnyRecord,
  cleanMigration,
  defineStrongroom,
  type Migration,
  openStrongroom,
  runMigration,
  switchMigration,
} from '../../../src/index.ts'
import { capture } from '../../cli/capture.ts'
import { describeComponent } from '../../components/component.ts'
import { startPostgres, type TestPostgres } from '../../fixtures/postgres.ts'
import {
  type AnyPrisma,
  FIELD_ENCRYPTION_FOLDER,
  openFieldEncryption,
  openPrisma,
  PRISMA_VERSIONS,
  prismaSchema,
} from './clients.ts'

const folder = FIELD_ENCRYPTION_FOLDER
const missing = existsSync(`${folder}generated`) ? undefined : 'run .ci/components, which makes prisma-field-encryption'
const newest = PRISMA_VERSIONS.at(-1) as (typeof PRISMA_VERSIONS)[number]

const TABLES = `
  create table patients (id text primary key, email text not null unique, "emailHash" text unique, note text, ward text not null);
  create table visits (id integer primary key, "patientId" text not null references patients, finding text not null, code text);`

describeComponent('prisma-field-encryption 1.6', newest.missing ?? missing, () => {
  let postgres: TestPostgres
  let pool: pg.Pool
  const [oldKey, newKey] = [9, 8].map((byte) => `k1.aesgcm256.${Buffer.alloc(32, byte).toString('base64url')}=`)

  beforeAll(async () => {
    postgres = await startPostgres()
    pool = new pg.Pool({ connectionString: postgres.connectionString })
    await pool.query(TABLES)
  }, 60_000)
  afterAll(async () => {
    await pool?.end()
    await postgres?.stop()
  })

  async function openOld(encryptionKey: string, decryptionKeys: string[] = []): Promise<AnyPrisma> {
    const opened = await openFieldEncryption(postgres.connectionString, encryptionKey, decryptionKeys)
    return typeof opened === 'string' ? expect.unreachable(opened) : opened.db
  }

  test('wrote values that a migration from its own annotations brings to Prisma 7, while it goes on writing', {
    timeout: 120_000,
  }, async () => {
    const before = await openOld(oldKey as string)
    const patients = Array.from({ length: 120 }, (_, at) => ({
      id: `p${String(at).padStart(3, '0')}`,
      email: ` Patient${at}@Example.com`,
      note: at % 3 === 0 ? null : `nöte ${at}`,
      ward: at % 2 === 0 ? 'north' : 'south',
    }))
    for (const data of patients) await before.patient.create({ data })
    const visits = patients
      .slice(0, 40)
      .map(({ id }, at) => ({ id: at, patientId: id, finding: at % 2 === 0 ? 'well' : `finding ${at}` }))
    for (const data of visits) await before.visit.create({ data })
    const old = await openOld(newKey as string, [oldKey as string])
    await old.patient.update({ where: { id: 'p001' }, data: { note: 'under the new key' } })
    await pool.query(`update patients set note = 'never encrypted' where id = 'p002'`)
    expect((await pool.query(`select email, "emailHash" from patients where id = 'p000'`)).rows[0]).toEqual({
      email: expect.stringMatching(/^v1\.aesgcm256\./),
      emailHash: createHash('sha256').update('patient0@example.com').digest('hex'),
    })

    // strongroom prisma import
    const { streams, written } = capture()
    expect(await run(['prisma', 'import', `${folder}schema.prisma`], streams)).toBe(0)
    expect(written.stderr).toMatch(/email_index String @unique takes the place of emailHash/)
    const code = `${folder}generated/imported.ts`
    await writeFile(code, written.stdout)
    process.env.PRISMA_FIELD_ENCRYPTION_KEY = newKey
    process.env.PRISMA_FIELD_DECRYPTION_KEYS = oldKey
    const made: {
      records: Record<string, AnyRecord>
      migrations: Record<string, Migration>
      models: Record<string, AnyRecord>
    } = await import(pathToFileURL(code).href)
    delete process.env.PRISMA_FIELD_ENCRYPTION_KEY
    delete process.env.PRISMA_FIELD_DECRYPTION_KEYS

    const config = defineStrongroom({
      name: 'clinic',
      kms: memoryKms(),
      store: memoryKeyStore(),
      records: made.records,
    })
    const room = await openStrongroom(config, { init: true })
    for (const [name, migration] of Object.entries(made.migrations)) {
      const table = postgresTable({ pool, table: migration.record.name })
      const parts = { cipher: room.records[name] as never, table, migration }
      expect(await runMigration(parts)).toMatchObject({ complete: true, phase: 'verified', aside: [] })
      // The old application is still there, and writes by the old package.
      if (name === 'patient')
        await old.patient.update({ where: { id: 'p003' }, data: { email: 'moved@example.com', note: 'late' } })
      expect(await switchMigration(parts)).toMatchObject({ complete: true, phase: 'switched' })
      expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'cleaned' })
    }
    await pool.query('alter table patients drop column "emailHash"; alter table visits drop column code')
    await old.$disconnect()
    await before.$disconnect()

    const plain = await openPrisma(newest, postgres.connectionString)
    const db: AnyPrisma = plain.$extends(
      strongroomPrisma(room, { models: made.models, relations: prismaRelations(prismaSchema) }),
    )
    const wanted = patients.map((row) => ({ ...row, visits: visits.filter(({ patientId }) => patientId === row.id) }))
    Object.assign(wanted[1] as object, { note: 'under the new key' })
    Object.assign(wanted[2] as object, { note: 'never encrypted' })
    Object.assign(wanted[3] as object, { email: 'moved@example.com', note: 'late' })
    expect(await db.patient.findMany({ orderBy: { id: 'asc' }, include: { visits: true } })).toEqual(wanted)
    expect(await db.patient.findUnique({ where: { email: 'PATIENT7@example.com' }, select: { id: true } })).toEqual({
      id: 'p007',
    })
    expect(await db.patient.findUnique({ where: { email: 'MOVED@example.com ' }, select: { id: true } })).toEqual({
      id: 'p003',
    })
    expect(await db.visit.findMany({ where: { finding: 'well' } })).toHaveLength(20)
    await db.patient.create({
      data: { id: 'p999', email: 'new@example.com', ward: 'north', visits: { create: { id: 999, finding: 'new' } } },
    })
    for (const table of ['patients', 'visits']) {
      const { rows } = await pool.query(`select * from ${table}`)
      for (const row of rows)
        expect(JSON.stringify(row)).not.toMatch(/v1\.aesgcm256|@example|nöte|finding \d|[0-9a-f]{64}/i)
    }
    await plain.$disconnect()
    await room.close()
  })
})
