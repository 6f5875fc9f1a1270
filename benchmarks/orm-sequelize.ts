import { DataTypes, type Model, type ModelStatic, Sequelize } from 'sequelize'
import { encryptedAttributes, encryptedModel } from '../providers/sequelize/index.ts'
import type { Mapper } from './orm-job.ts'
import { newObjects, ORG, type People, type Row, people as record, UNDO, undone } from './orm-people.ts'

const { STRING, TEXT, DATE, INTEGER, JSONB } = DataTypes
const key = { id: { type: STRING, primaryKey: true }, org: STRING }
const plain = { ...key, email: TEXT, name: TEXT, born: DATE, salary: INTEGER, notes: JSONB }
const stored = { ...key, email: TEXT, name: TEXT, born: TEXT, salary: TEXT, notes: TEXT, email_index: TEXT }

/** Sequelize with and without the adapter; each on a Sequelize of its own. */
export function sequelizeMapper(people: People, url: string): Mapper {
  const without = new Sequelize(url, { logging: false })
  const sequelize = new Sequelize(url, { logging: false })
  const timestamps = false
  const tables = {
    plain: without.define('plain', plain, { tableName: 'plain', timestamps }),
    people: without.define('stored', stored, { tableName: 'people', timestamps }),
  }
  const attributes = { ...key, ...encryptedAttributes(record) }
  const encrypted = sequelize.define('encrypted', attributes, { tableName: 'people', timestamps })
  encryptedModel(encrypted as never, people.room.records.people)
  const jobs = people.jobs({
    insert: (table, rows) => insert(tables[table], rows),
    insertEncrypted: (rows) => insert(encrypted, rows),
    read: (table) => tables[table].findAll({ where: { org: ORG } }),
    readEncrypted: () => encrypted.findAll({ where: { org: ORG } }),
  })
  return { name: 'Sequelize', ...jobs, close: () => Promise.all([without.close(), sequelize.close()]) }
}

function insert(model: ModelStatic<Model>, rows: readonly Row[]): Promise<unknown> {
  const work = (model.sequelize as Sequelize).transaction(async (transaction) => {
    await model.bulkCreate(newObjects(rows) as never, { transaction })
    throw UNDO
  })
  return work.catch(undone)
}
