import { Buffer } from 'node:buffer'
import { DataTypes, Sequelize } from 'sequelize'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { type EncryptedInstance, encryptedAttributes, encryptedModel } from '../../../providers/sequelize/index.ts'
import { bytes, date, defineRecord, openStrongroom, text } from '../../../src/index.ts'
import { createDatabase, type TestDatabase } from '../../fixtures/postgres-database.ts'

const record = defineRecord(
  'members',
  {
    email: text({ index: { column: 'emailTag', transform: 'email', unique: true } }),
    born: date({ nullable: true }),
    key: bytes(),
  },
  {
    id: ['club', 'number'],
    tenant: 'club',
    subject: 'number',
    storage: 'binary',
    plain: ['visits', 'createdAt', 'updatedAt', 'deletedAt', 'version'],
  },
)
const pets = defineRecord(
  'pets',
  { chip: text(), vet: text({ nullable: 'visible' }) },
  { id: 'id', plain: ['name', 'kind'] },
)
const strays = defineRecord('strays', { chip: text(), vet: text() }, { id: 'id', plain: 'all' })

interface Columns {
  club: string
  number: number
  visits: number
}
type Member = EncryptedInstance<typeof record, Columns>

let database: TestDatabase
let sequelize: Sequelize
let room: Awaited<ReturnType<typeof open>>
const open = () =>
  openStrongroom(
    { name: 'club', kms: memoryKms(), store: memoryKeyStore(), records: { members: record, pets, strays } },
    { init: true },
  )

function define(on: Sequelize, options: object = {}, attributes: object = {}) {
  const Member = on.define<Member>(
    'Member',
    {
      club: { type: DataTypes.STRING, primaryKey: true, field: 'club_name' },
      number: { type: DataTypes.INTEGER, primaryKey: true, field: 'member_no' },
      visits: { type: DataTypes.INTEGER, defaultValue: 0 },
      ...encryptedAttributes(record),
      ...attributes,
    },
    { tableName: 'members', underscored: true, paranoid: true, version: true, ...options },
  )
  return { Member, members: encryptedModel(Member, room.records.members) }
}

beforeAll(async () => {
  database = await createDatabase()
  room = await open()
  sequelize = new Sequelize(database.connectionString, { logging: false })
})
afterAll(async () => {
  await sequelize?.close()
  await room?.close()
  await database?.drop()
})

const row = (number: number) => ({
  club: 'chess',
  number,
  visits: 0,
  email: `Member${number}@example.com`,
  born: new Date(number),
  key: new Uint8Array([0xf9, number]),
})
const key = { club: 'chess', number: 1 }

describe('a table with keys of two columns, other names, bytes, versions and deletions that are marks', () => {
  let made: ReturnType<typeof define>
  beforeEach(async () => {
    made = define(sequelize)
    await made.Member.sync({ force: true })
    await made.Member.bulkCreate([row(1), row(2)])
  })
  const shown = (member: Member | null | undefined) => {
    const { email, born, key: secret } = member as Member
    return { email, born, key: Uint8Array.from(secret) }
  }
  const expected = (number: number, changes = {}) => {
    const { email, born, key: secret } = row(number)
    return { email, born, key: secret, ...changes }
  }
  const stored = async () => {
    const [rows] = await new Sequelize(database.connectionString, { logging: false }).query('select * from members')
    return rows as { email: Uint8Array; email_tag: Uint8Array }[]
  }

  test('holds ciphertexts, made and changed by sync as well', async () => {
    for (const { email, email_tag } of await stored()) {
      expect(email[0]).toBe(0xf9)
      expect(email_tag).toBeInstanceOf(Uint8Array)
    }
    await made.Member.sync()
    await made.Member.sync({ alter: true })
    expect(shown(await made.Member.findOne({ where: key }))).toEqual(expected(1))
  })

  test('is read with every selection, and searched', async () => {
    const { Member, members } = made
    expect(shown((await Member.findAll({ order: ['number'], raw: true }))[1])).toEqual(expected(2))
    const attributes = { exclude: ['born'] }
    expect(await Member.findOne({ where: key, attributes })).toMatchObject({ email: 'Member1@example.com' })
    const [found] = await members.search('email', 'MEMBER2@example.com', { tenant: 'chess' })
    expect(shown(found)).toEqual(expected(2))
    expect(found?.get()).not.toHaveProperty('emailTag')
    const [raw] = await sequelize.query('select * from members where member_no = 1')
    expect(await members.decryptRaw(raw as object[])).toEqual([
      expect.objectContaining({ email: 'Member1@example.com' }),
    ])
  })

  test('is searched by what it holds, whatever its getters show, and with what the search needs', async () => {
    const other = new Sequelize(database.connectionString, { logging: false })
    const members = define(other, {}, { email: { ...encryptedAttributes(record).email, get: () => 'hidden' } }).members
    const search = (find: object) => members.search('email', 'MEMBER2@example.com', { tenant: 'chess' }, find)
    expect((await search({})).map((found) => [found.number, found.email])).toEqual([[2, 'hidden']])
    expect(await search({ attributes: ['club', 'number', 'email'], raw: true })).toEqual([
      { club: 'chess', number: 2, email: 'Member2@example.com' },
    ])
    for (const attributes of [['club', 'number'], ['email'], { exclude: ['email'] }, { exclude: ['club'] }]) {
      await expect(search({ attributes })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    }
    await other.close()
  })

  test('says which columns a selection of many rows lacks', async () => {
    await made.Member.bulkCreate([row(3), row(4), row(5)])
    const found = made.Member.findAll({ attributes: ['email'] as never })
    await expect(found).rejects.toMatchObject({
      code: 'ERR_INVALID_INPUT',
      message: expect.stringMatching(/without club and number/),
    })
  })

  test('takes a whole row that an application built, and writes it under the same id', async () => {
    const other = new Sequelize(database.connectionString, { logging: false })
    const { Member } = define(other, { version: false })
    await Member.build({ ...row(1), email: 'built@example.com' } as never, { isNewRecord: false }).save()
    expect(shown(await made.Member.findOne({ where: key }))).toEqual(expected(1, { email: 'built@example.com' }))
    const claimed = Member.build(row(9) as never, { isNewRecord: false })
    await expect(claimed.save()).rejects.toMatchObject({ message: expect.stringMatching(/there is no row/) })
    await other.close()
  })

  test('counts in plain columns, and instances keep their values where the whole row comes back', async () => {
    const { Member } = made
    const member = (await Member.findOne({ where: key })) as Member
    await member.increment('visits')
    await member.decrement({ visits: 3 })
    expect(shown(member)).toEqual(expected(1))
    expect(member.visits).toBe(-2)
    expect(JSON.stringify(await Member.increment('visits', { where: {}, by: 5 }))).not.toMatch(/sr1_|"data":\[249,/)
    await member.reload()
    expect([member.visits, member.get('version')]).toEqual([3, 3])
    member.email = 'new@example.com'
    await member.save({ returning: true })
    expect(shown(member)).toEqual(expected(1, { email: 'new@example.com' }))
  })

  test('returns what an update changed, decrypted', async () => {
    const values = { email: 'new@example.com' } as never
    const [count, found] = await made.Member.update(values, { where: key, returning: true })
    expect(count).toBe(1)
    expect(shown(found[0])).toEqual(expected(1, { email: 'new@example.com' }))
    const [, all] = await made.Member.update({ visits: 9 }, { where: {}, returning: true })
    expect(all.map(({ email }) => email).sort()).toEqual(['Member2@example.com', 'new@example.com'])
  })

  test('marks rows as deleted, brings them back, and is emptied', async () => {
    const { Member } = made
    const member = (await Member.findOne({ where: key })) as Member
    await member.destroy()
    expect(await Member.count()).toBe(1)
    await member.restore()
    expect(shown(member)).toEqual(expected(1))
    await Member.destroy({ where: {} })
    await Member.restore({ where: {} })
    expect(shown(await Member.findOne({ where: key }))).toEqual(expected(1))
    member.email = 'changed@example.com'
    await expect(member.destroy()).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    await Member.truncate({ force: true })
    expect(await Member.count({ paranoid: false })).toBe(0)
  })

  test('leaves bytes and texts of other models as they are, also beside its own', async () => {
    const Badge = sequelize.define('Badge', { mark: DataTypes.BLOB, note: DataTypes.TEXT }, { timestamps: false })
    Badge.belongsTo(made.Member, { as: 'member', foreignKey: 'holder', targetKey: 'number', constraints: false })
    await Badge.sync({ force: true })
    const mark = Buffer.alloc(80, 0xf9)
    await Badge.create({ mark, note: 'sr1_of_somebody_else', holder: 1 })
    for (const options of [{}, { raw: true }, { include: ['member'] }, { include: ['member'], raw: true }]) {
      expect(await Badge.findOne(options)).toMatchObject({ mark, note: 'sr1_of_somebody_else' })
    }
    const Legacy = sequelize.define('Legacy', { email: DataTypes.BLOB }, { tableName: 'members', timestamps: false })
    Legacy.removeAttribute('id')
    await expect(Legacy.findAll()).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    await expect(Legacy.create({ email: Buffer.from('plain') })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  })

  test('is written by two calls at the same time, or says that it is not', async () => {
    const member = (await made.Member.findOne({ where: key })) as Member
    member.email = 'new@example.com'
    await Promise.allSettled([member.save(), member.save(), member.save()])
    expect(shown(member)).toEqual(expected(1, { email: 'new@example.com' }))
    expect(shown(await made.Member.findOne({ where: key }))).toEqual(expected(1, { email: 'new@example.com' }))
  })

  test('may be in another schema', async () => {
    await sequelize.createSchema('branch', {})
    const Branch = made.Member.schema('branch')
    await Branch.sync()
    await Branch.create(row(7))
    await Branch.update({ email: 'new@example.com' } as never, { where: { club: 'chess', number: 7 } })
    expect(shown(await Branch.findOne())).toEqual(expected(7, { email: 'new@example.com' }))
    await expect(Branch.findAll({ where: { email: 'x' } as never })).rejects.toMatchObject({
      code: 'ERR_INVALID_INPUT',
    })
    await expect(Branch.findAll({ order: ['email'] })).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  })

  test('may be read with short aliases, and written with literals alone', async () => {
    const options = { logging: false, minifyAliases: true, dialectOptions: { prependSearchPath: false } } as const
    const other = new Sequelize(database.connectionString, options)
    try {
      const { Member } = define(other)
      Member.hasMany(Member, { as: 'same', foreignKey: 'club', sourceKey: 'club', constraints: false })
      const [found] = await Member.findAll({ include: ['same'], where: key })
      expect(shown(found)).toEqual(expected(1))
      expect((found as unknown as { same: Member[] }).same.map(shown)).toEqual([expected(1), expected(2)])
    } finally {
      await other.close()
    }
  })

  test('refuses plaintext where the database would take backslashes for escapes', async () => {
    const other = new Sequelize(database.connectionString, { logging: false, standardConformingStrings: false })
    try {
      define(other)
      const sql = `update members set visits = length('\\'), email = ''' || 'plain')`
      await expect(other.query(sql)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    } finally {
      await other.close()
    }
  })
})

describe('several models of one table', () => {
  const id = { type: DataTypes.STRING, primaryKey: true }
  const named = { name: DataTypes.STRING, kind: DataTypes.STRING }
  const options = { tableName: 'pets', timestamps: false }
  const refused = { code: 'ERR_INVALID_INPUT' }
  let other: Sequelize
  let Pet: ReturnType<typeof definePet>
  const definePet = (name: string, attributes: object) => {
    return other.define<EncryptedInstance<typeof pets, { id: string }>>(
      name,
      { id, ...encryptedAttributes(pets), ...attributes },
      options,
    )
  }
  beforeEach(async () => {
    other = new Sequelize(database.connectionString, { logging: false })
    Pet = definePet('Pet', named)
    await Pet.sync({ force: true })
    encryptedModel(Pet, room.records.pets)
    await Pet.create({ id: '1', chip: 'C1', vet: null, name: 'Rex', kind: 'dog' } as never)
  })
  afterEach(() => other.close())

  test('of which one has fewer columns write and read the same rows', async () => {
    const Chip = definePet('Chip', { kind: DataTypes.STRING })
    encryptedModel(Chip, room.records.pets)
    await Pet.create({ id: '2', chip: 'C2', vet: 'V', name: 'Tom', kind: 'cat' } as never)
    await Chip.create({ id: '3', chip: 'C3', vet: null, kind: 'cat' } as never)
    await Pet.update({ name: 'Max' } as never, { where: { id: '1' } })
    const rows = await Pet.findAll({ order: ['id'], raw: true })
    expect(rows.map((row) => ({ ...row }))).toMatchObject([{ chip: 'C1', name: 'Max' }, { vet: 'V' }, { chip: 'C3' }])
    expect((await Chip.findAll({ order: ['id'] })).map(({ chip }) => chip)).toEqual(['C1', 'C2', 'C3'])
    const undeclared = `insert into pets (id, chip, secret) values ('4', 'x', 'plain')`
    await expect(other.query(undeclared)).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(/secret/),
    })
  })

  test('of which one has no record write no plaintext and no row without its fields, and read no ciphertext', async () => {
    const Plain = other.define('Plain', { id, ...named }, options)
    const Whole = other.define(
      'Whole',
      { id, chip: DataTypes.TEXT, vet: { type: DataTypes.TEXT, field: 'vet' } },
      options,
    )
    for (const attempt of [
      () => Plain.create({ id: '2', name: 'Tom' }),
      () => Plain.bulkCreate([{ id: '2', name: 'Tom' }]),
      () => Plain.upsert({ id: '2', name: 'Tom' }),
      () => Whole.create({ id: '2', chip: 'plain' }),
      () => Whole.bulkCreate([{ id: '2', chip: 'plain' }]),
      () => Whole.update({ vet: 'plain' }, { where: { id: '1' } }),
      () => Whole.findAll(),
      () => Whole.findOne({ raw: true }),
      () => Whole.count({ where: { chip: 'x' } }),
    ]) {
      await expect(attempt()).rejects.toMatchObject(refused)
    }
    expect(await Plain.findAll({ raw: true })).toEqual([{ id: '1', name: 'Rex', kind: 'dog' }])
    await Plain.update({ name: 'Max' }, { where: { id: '1' } })
    expect((await Pet.findAll()).map(({ chip }) => chip)).toEqual(['C1'])
  })

  test('are refused with two records, of which none could read what the other writes', () => {
    const Stray = other.define<EncryptedInstance<typeof strays, { id: string }>>(
      'Stray',
      { id, ...encryptedAttributes(strays), ...named },
      { ...options, tableName: 'Pets' },
    )
    expect(() => encryptedModel(Stray, room.records.strays)).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIG',
        message: expect.stringMatching(/Pet and Stray .* pets and strays/),
      }),
    )
    const Elsewhere = other.define<EncryptedInstance<typeof strays, { id: string }>>(
      'Elsewhere',
      { id, ...encryptedAttributes(strays), ...named },
      { ...options, schema: 'branch' },
    )
    expect(() => encryptedModel(Elsewhere, room.records.strays)).not.toThrow()
  })
})
