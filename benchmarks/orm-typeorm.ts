import { DataSource, EntitySchema } from 'typeorm'
import { encryptedEntity, entityColumns } from '../providers/typeorm/index.ts'
import type { Mapper } from './orm-job.ts'
import { newObjects, ORG, type People, type Row, people as record, UNDO, undone } from './orm-people.ts'

const key = { id: { type: 'text', primary: true }, org: { type: 'text' } } as const
const texts = { email: { type: 'text' }, name: { type: 'text' } } as const
const plain = new EntitySchema<Row>({
  name: 'Plain',
  tableName: 'plain',
  columns: { ...key, ...texts, born: { type: 'timestamptz' }, salary: { type: 'int' }, notes: { type: 'jsonb' } },
})
const stored = new EntitySchema<Row>({
  name: 'Stored',
  tableName: 'people',
  columns: {
    ...key,
    ...texts,
    born: { type: 'text' },
    salary: { type: 'text' },
    notes: { type: 'text' },
    email_index: { type: 'text', select: false },
  },
})
const encrypted = new EntitySchema<Row>({
  name: 'Encrypted',
  tableName: 'people',
  columns: { ...key, ...entityColumns(record) },
})

/** TypeORM with and without its subscriber; each on a data source of its own. */
export async function typeormMapper(people: People, url: string): Promise<Mapper> {
  const open = (entities: EntitySchema<Row>[]) => new DataSource({ type: 'postgres', url, entities }).initialize()
  const without = await open([plain, stored])
  const source = await open([encrypted])
  encryptedEntity(source, encrypted, people.room.records.people)
  const entityOf = (table: 'plain' | 'people') => (table === 'plain' ? plain : stored)
  const jobs = people.jobs({
    insert: (table, rows) => insert(without, entityOf(table), rows),
    insertEncrypted: (rows) => insert(source, encrypted, rows),
    read: (table) => without.manager.find(entityOf(table), { where: { org: ORG } }),
    readEncrypted: () => source.manager.find(encrypted, { where: { org: ORG } }),
  })
  return { name: 'TypeORM', ...jobs, close: () => Promise.all([without.destroy(), source.destroy()]) }
}

function insert(source: DataSource, entity: EntitySchema<Row>, rows: readonly Row[]): Promise<unknown> {
  const work = source.transaction(async (manager) => {
    await manager.insert(entity, newObjects(rows) as never)
    throw UNDO
  })
  return work.catch(undone)
}
