import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { PRISMA_VERSIONS, type PrismaVersion } from '../tests/providers/prisma/clients.ts'
import { emptyDatabase } from './orm-database.ts'
import { drizzleMapper } from './orm-drizzle.ts'
import { type Mapper, measureMapper } from './orm-job.ts'
import { kyselyMapper } from './orm-kysely.ts'
import { People } from './orm-people.ts'
import { fieldEncryptionMapper, prismaMapper } from './orm-prisma.ts'
import { sequelizeMapper } from './orm-sequelize.ts'
import { typeormMapper } from './orm-typeorm.ts'
import type { Result } from './result.ts'

type Open = (pool: pg.Pool, url: string, count: number) => Promise<Mapper>

const ofPeople = (mapperOf: (people: People, url: string) => Mapper | Promise<Mapper>): Open => {
  return async (pool, url, count) => {
    const people = await People.open(pool, count)
    const mapper = await mapperOf(people, url)
    return { ...mapper, close: () => Promise.all([mapper.close?.(), people.room.close()]) }
  }
}
const ofPrisma = (version: PrismaVersion): [string, Open] => [
  version.name,
  (...where) => prismaMapper(version, ...where),
]

const OPEN: Readonly<Record<string, Open>> = {
  Kysely: ofPeople(kyselyMapper),
  Drizzle: ofPeople(drizzleMapper),
  TypeORM: ofPeople(typeormMapper),
  Sequelize: ofPeople(sequelizeMapper),
  ...Object.fromEntries(PRISMA_VERSIONS.map(ofPrisma)),
  'prisma-field-encryption': fieldEncryptionMapper,
}

/** Every mapper by its name. */
export const MAPPERS: readonly string[] = Object.keys(OPEN)

interface Measurement {
  readonly mapper: string
  readonly quick: boolean
  /** Where databases can be made. */
  readonly server: string
}

/** Measures a mapper in a process of its own, as a service has one: code that has served another mapper is slower. */
export function measuredAlone(measurement: Measurement): Promise<Result[]> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(measurement)], { execArgv: process.execArgv })
    child.once('message', (results) => resolve(results as Result[]))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the process of ${measurement.mapper} ended with code ${code}`)))
  })
}

async function measured({ mapper, quick, server }: Measurement): Promise<Result[]> {
  const url = await emptyDatabase(server, mapper.toLowerCase().replace(/\W/g, '_'))
  const pool = new pg.Pool({ connectionString: url })
  try {
    const opened = await (OPEN[mapper] as Open)(pool, url, quick ? 10 : 1_000)
    return await measureMapper(opened, quick ? 0 : 45)
  } finally {
    await pool.end()
  }
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await measured(JSON.parse(process.argv[2] as string))
  process.send(results, () => process.disconnect())
}
