import { DataTypes, Model, type ModelStatic, Sequelize } from 'sequelize'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { encryptedAttributes, encryptedModel } from '../../../providers/sequelize/index.ts'
import { defineRecord, openStrongroom, text } from '../../../src/index.ts'
import { records, type SuiteRoom } from '../../adapters/records.ts'
import { customer } from '../../adapters/samples.ts'

let room: SuiteRoom
beforeAll(async () => {
  room = await openStrongroom({ name: 'suite', kms: memoryKms(), store: memoryKeyStore(), records }, { init: true })
})
afterAll(() => room.close())

/** A Sequelize that connects to nothing. */
const sequelize = () => new Sequelize('postgres://nobody@127.0.0.1:1/none', { logging: false })
const columns = { id: { type: DataTypes.STRING, primaryKey: true }, orgId: DataTypes.STRING, status: DataTypes.STRING }
const define = (attributes: object, on = sequelize()) =>
  on.define('Customer', { ...columns, ...attributes }, { tableName: 'customers', timestamps: false }) as never

describe('a model', () => {
  const wrong: Record<string, [() => unknown, object]> = {
    'that lacks an attribute of its record': [
      () => {
        const { email: _, ...others } = encryptedAttributes(records.customers)
        return define(others)
      },
      { code: 'ERR_CONFIG', message: expect.stringMatching(/no attribute email/) },
    ],
    'whose attribute is an ordinary one': [
      () => define({ ...encryptedAttributes(records.customers), email: DataTypes.TEXT }),
      { code: 'ERR_CONFIG', message: expect.stringMatching(/email is not made by encryptedAttributes/) },
    ],
    'with an attribute that is not declared': [
      () => define({ ...encryptedAttributes(records.customers), phone: DataTypes.STRING }),
      { code: 'ERR_INVALID_INPUT', message: expect.stringMatching(/phone is not declared/) },
    ],
    'of a dialect whose SQL is not read': [
      () => {
        const on = sequelize()
        on.getDialect = () => 'mssql'
        return define(encryptedAttributes(records.customers), on)
      },
      { code: 'ERR_CONFIG', message: expect.stringMatching(/mssql/) },
    ],
    'that is not initialized': [
      () => class Customer extends Model {},
      { code: 'ERR_CONFIG', message: expect.stringMatching(/init\(\)/) },
    ],
  }
  for (const [name, [make, error]] of Object.entries(wrong)) {
    test(`${name} is refused`, () => {
      expect(() => encryptedModel(make() as never, room.records.customers)).toThrow(expect.objectContaining(error))
    })
  }

  test('may have virtual attributes, and attributes that the database calls otherwise', () => {
    const attributes = encryptedAttributes(records.customers)
    const email = { ...attributes.email, field: 'mail' }
    expect(() =>
      encryptedModel(define({ ...attributes, email, age: DataTypes.VIRTUAL }), room.records.customers),
    ).not.toThrow()
  })

  test('that was not made encrypted writes nothing', async () => {
    const Customer = define(encryptedAttributes(records.customers)) as unknown as {
      create(row: object): Promise<unknown>
    }
    await expect(Customer.create(customer('acme', 1))).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  })

  test('has no attribute for a field in state plaintext', () => {
    const record = defineRecord('x', { a: text({ state: 'plaintext' }) }, { id: 'id' })
    expect(() => encryptedAttributes(record)).toThrow(/state plaintext/)
  })
})

describe('a model without a record, of which encrypted rows have their tenant', () => {
  const models = (onSide: 'parent' | 'child') => {
    const on = sequelize()
    const attributes = {
      id: { type: DataTypes.STRING, primaryKey: true },
      code: DataTypes.STRING,
      name: DataTypes.STRING,
    }
    const Org = on.define('Org', attributes, { timestamps: false })
    const Customer = define(encryptedAttributes(records.customers), on) as ModelStatic<Model>
    if (onSide === 'parent') Org.hasMany(Customer, { foreignKey: 'orgId', sourceKey: 'code' })
    else Customer.belongsTo(Org, { foreignKey: 'orgId', targetKey: 'code' })
    encryptedModel(Customer as never, room.records.customers)
    return Org
  }
  const refused = { code: 'ERR_INVALID_INPUT', message: expect.stringMatching(/code cannot be changed.*orgId/) }

  test.each(['parent', 'child'] as const)(
    'keeps that column, which the database would change with it: %s',
    async (side) => {
      const Org = models(side)
      const update = (on: typeof Org) => on.update({ code: 'globex' }, { where: { code: 'acme' } })
      await expect(update(Org)).rejects.toMatchObject(refused)
      await expect(update(Org.scope({ where: { name: 'x' } }) as typeof Org)).rejects.toMatchObject(refused)
      const built = Org.build({ id: 'x', code: 'acme' }, { isNewRecord: false, raw: true })
      built.set('code', 'globex')
      await expect(built.save()).rejects.toMatchObject(refused)
      // Other columns are written: there is no database here.
      await expect(Org.update({ name: 'x' }, { where: {} })).rejects.toMatchObject({
        name: 'SequelizeConnectionRefusedError',
      })
    },
  )
})

describe('the guard of statements', () => {
  test('is missed when Sequelize runs one in another way', async () => {
    const on = sequelize()
    encryptedModel(define(encryptedAttributes(records.customers), on), room.records.customers)
    const hooks = on as unknown as { runHooks(name: string, options: object, query: object): Promise<unknown> }
    const query: { options: object; run: (sql?: string) => Promise<unknown>; sql?: string } = {
      options: {},
      run: async () => [],
    }
    await hooks.runHooks('beforeQuery', {}, query)
    await hooks.runHooks('afterQuery', {}, query) // a hook in between failed
    query.sql = 'select 1'
    await expect(hooks.runHooks('afterQuery', {}, query)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
    await expect(query.run()).rejects.toMatchObject({ code: 'ERR_CONFIG' })
    await query.run('select 1')
    await hooks.runHooks('afterQuery', {}, query)
  })
})

describe('the methods of a model', () => {
  const READ =
    'findAll findByPk findOne findAndCountAll findOrBuild findOrCreate findCreateFind reload scope unscoped schema'
  const WRITTEN =
    'create bulkCreate update upsert increment decrement save destroy restore truncate build bulkBuild set setAttributes setDataValue'
  const REFUSED = 'aggregate count max min sum'
  /** These reach no row. */
  const OTHERS =
    'getAttributes init refreshAttributes removeAttribute sync drop dropSchema getTableName addScope warnOnInvalidOptions describe ' +
    'hasAlias where toString getDataValue get changed previous validate isSoftDeleted equals equalsOneOf setValidators toJSON ' +
    'hasMany belongsToMany hasOne belongsTo addHook hasHook hasHooks removeHook runHooks getAssociations getAssociationForAlias ' +
    'getAssociationsForAlias Mixin default queryInterface queryGenerator sequelize associations length name prototype constructor inspect'

  test('are all known: a version of Sequelize that has others is looked at before it is used', () => {
    const known = new Set([READ, WRITTEN, REFUSED, OTHERS].flatMap((names) => names.split(' ')))
    const names = [...Object.getOwnPropertyNames(Model), ...Object.getOwnPropertyNames(Model.prototype)]
    const unknown = names.filter((name) => !/^(_|before|after|validationFailed$)/.test(name) && !known.has(name))
    expect(unknown).toEqual([])
  })
})
