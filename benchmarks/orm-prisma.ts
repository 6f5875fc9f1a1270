import type pg from 'pg'
import { memoryKeyStore, memoryKms } from '../providers/memory/index.ts'
import { strongroomPrisma } from '../providers/prisma/index.ts'
import { defineRecord, openStrongroom, text } from '../src/index.ts'
import { type AnyPrisma, openFieldEncryption, openPrisma, PRISMA_VERSIONS } from '../tests/providers/prisma/clients.ts'
import type { MapperContender } from './orm.ts'

const patients = defineRecord(
  'patients',
  {
    email: text({ index: { column: 'email_index', transform: 'email', unique: true } }),
    note: text({ nullable: 'visible' }),
  },
  { id: 'id', plain: ['ward'] },
)

/** Prisma 6 and 7 with Strongroom, and prisma-field-encryption on the last Prisma that it supports. */
export async function prismaContenders(
  connectionString: string,
  pool: pg.Pool,
  count: number,
): Promise<MapperContender[]> {
  const config = { name: 'bench', kms: memoryKms(), store: memoryKeyStore(), records: { patients } }
  const room = await openStrongroom(config, { init: true })
  const cipher = room.records.patients
  const rows = Array.from({ length: count }, (_, at) => ({
    id: `p${at}`,
    email: `patient${at}@example.com`,
    note: `came ${at} times, and will come again`,
    ward: 'north',
  }))
  const encrypted = await cipher.encryptMany(rows)
  const clear = () => pool.query('truncate patients')
  const contenders: MapperContender[] = []
  for (const version of PRISMA_VERSIONS) {
    if (version.missing !== undefined) {
      contenders.push({ name: version.name, missing: version.missing })
      continue
    }
    const plain = await openPrisma(version, connectionString)
    const db: AnyPrisma = plain.$extends(strongroomPrisma(room, { models: { Patient: patients } }))
    const fill = async () => {
      if ((await pool.query('select 1 from patients where email_index is not null')).rowCount === count) return
      await clear()
      await db.patient.createMany({ data: rows })
    }
    const stored = encrypted.map(({ email_index: _, ...row }) => row)
    contenders.push({
      name: version.name,
      read: {
        before: fill,
        encrypted: () => db.patient.findMany(),
        plain: () => plain.patient.findMany({ omit: { email_index: true } }),
        bare: () => cipher.decryptMany(stored),
      },
      insert: {
        before: clear,
        encrypted: () => db.patient.createMany({ data: rows }),
        plain: () => plain.patient.createMany({ data: encrypted }),
        bare: () => cipher.encryptMany(rows),
      },
      close: () => plain.$disconnect(),
    })
  }
  contenders.push(await fieldEncryption(connectionString, clear, rows))
  return contenders
}

/** Its searches need a hash, which any reader of the table can compute; it binds no context. */
async function fieldEncryption(
  connectionString: string,
  clear: () => Promise<unknown>,
  rows: readonly object[],
): Promise<MapperContender> {
  const name = 'prisma-field-encryption 1.6 on Prisma 6.15'
  const key = `k1.aesgcm256.${Buffer.alloc(32, 7).toString('base64url')}=`
  const old = await openFieldEncryption(connectionString, key)
  if (typeof old === 'string') return { name, missing: old }
  const { plain, db } = old
  let stored: object[] = []
  const fill = async () => {
    if (stored.length === rows.length) return
    await clear()
    await db.patient.createMany({ data: rows })
    stored = await plain.patient.findMany()
  }
  await fill()
  return {
    name,
    read: {
      before: async () => {
        if ((await plain.patient.count({ where: { emailHash: { not: null } } })) === rows.length) return
        await clear()
        await plain.patient.createMany({ data: stored })
      },
      encrypted: () => db.patient.findMany(),
      plain: () => plain.patient.findMany(),
    },
    insert: {
      before: clear,
      encrypted: () => db.patient.createMany({ data: rows }),
      plain: () => plain.patient.createMany({ data: stored }),
    },
    close: () => plain.$disconnect(),
  }
}
