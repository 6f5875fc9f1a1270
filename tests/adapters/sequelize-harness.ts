import { DataTypes, type Options, QueryTypes, Sequelize, type Transaction } from 'sequelize'
import { type EncryptedInstance, encryptedAttributes, encryptedModel } from '../../providers/sequelize/index.ts'
import type { AdapterHarness, AdapterQueries } from './harness.ts'
import * as suite from './records.ts'

type CustomerColumns = Pick<suite.Customer, 'id' | 'orgId' | 'status'>
type OrderColumns = Pick<suite.Order, 'id' | 'orgId' | 'customerId'>
export type OrderInstance = EncryptedInstance<typeof suite.orders, OrderColumns>
export type CustomerInstance = EncryptedInstance<typeof suite.customers, CustomerColumns> & {
  readonly orders?: OrderInstance[]
}

/** What differs between databases. */
export interface SequelizeDialect {
  readonly bytes: 'bytea' | 'longblob' | 'blob'
  nextOrderId(sequelize: Sequelize): Promise<number>
}

export type SequelizeHarness = AdapterHarness &
  ReturnType<typeof suiteModels> & {
    readonly sequelize: Sequelize
    /** What the database was sent, long statements cut. */
    readonly statements: string[]
  }

/** The models of the suite, encrypted. */
function suiteModels(sequelize: Sequelize, room: suite.SuiteRoom, bytes: SequelizeDialect['bytes']) {
  const options = { timestamps: false }
  const Customer = sequelize.define<CustomerInstance>(
    'Customer',
    {
      id: { type: DataTypes.STRING, primaryKey: true },
      orgId: DataTypes.STRING,
      status: DataTypes.STRING,
      ...encryptedAttributes(suite.customers, { bytes }),
    },
    { ...options, tableName: 'customers' },
  )
  const Order = sequelize.define<OrderInstance>(
    'Order',
    {
      id: { type: DataTypes.INTEGER, primaryKey: true },
      orgId: DataTypes.STRING,
      customerId: DataTypes.STRING,
      ...encryptedAttributes(suite.orders, { bytes }),
    },
    { ...options, tableName: 'orders' },
  )
  Customer.hasMany(Order, { as: 'orders', foreignKey: 'customerId', constraints: false })
  Order.belongsTo(Customer, { as: 'customer', foreignKey: 'customerId', constraints: false })
  const customers = encryptedModel(Customer, room.records.customers)
  const orders = encryptedModel(Order, room.records.orders)
  return { Customer, Order, customers, orders }
}

type Models = ReturnType<typeof suiteModels>

/** A Sequelize as the suite wants it; every call is one that a user writes. */
export async function sequelizeHarness(
  options: Options,
  room: suite.SuiteRoom,
  dialect: SequelizeDialect,
): Promise<SequelizeHarness> {
  const statements: string[] = []
  const sequelize = new Sequelize({ ...options, logging: (sql) => void statements.push(sql.slice(0, 2_000)) })
  const models = suiteModels(sequelize, room, dialect.bytes)
  const { Customer, customers } = models
  const orgId = sequelize.getDialect() === 'postgres' ? '"orgId"' : 'orgId'
  const where = { status: 'active' }
  return {
    sequelize,
    statements,
    ...models,
    ...queries(sequelize, models),
    transaction: (work) => sequelize.transaction((transaction) => work(queries(sequelize, models, transaction))),
    raw: async (tenant) => {
      const sql = `select * from customers where ${orgId} = ?`
      const rows = await sequelize.query(sql, { replacements: [tenant], type: QueryTypes.SELECT })
      return (await customers.decryptRaw(rows)) as suite.Customer[]
    },
    nextOrderId: () => dialect.nextOrderId(sequelize),
    refused: {
      compare: () => Customer.findAll({ where: { email: 'a@acme.example' } as never }),
      order: () => Customer.findAll({ order: ['name'] }),
      updateUnknownRow: () => Customer.update({ name: 'x' } as never, { where }),
      changeTenant: () => Customer.update({ orgId: 'globex' }, { where }),
      writeIndex: () => Customer.update({ email_index: '0011' } as never, { where }),
      createWithoutId: () => Customer.create({ orgId: 'acme', email: 'x@acme.example' } as never),
      createWithoutField: () => Customer.create({ id: 'x', orgId: 'acme', name: 'x' } as never),
      rawWrite: () => sequelize.query(`update customers set email = 'plain'`),
    },
    close: () => sequelize.close(),
  }
}

function queries(sequelize: Sequelize, models: Models, transaction?: Transaction): AdapterQueries {
  const { Customer, Order, customers } = models
  const within = transaction === undefined ? {} : { transaction }
  const both = <Result>(work: (own: Transaction) => Promise<Result>): Promise<Result> =>
    transaction === undefined ? sequelize.transaction(work) : work(transaction)
  const read = (row: CustomerInstance) => row.get({ plain: true }) as unknown as suite.Customer
  const values = (row: suite.Customer) => ({ ...row }) as suite.Customer & { notes: suite.Note[] }
  return {
    create: async (row) => read(await Customer.create(values(row), within)),
    createMany: (rows) => Customer.bulkCreate(rows.map(values), within),
    update: ({ id, orgId }, changes) => customers.update({ id, orgId }, changes, within),
    updateMany: async (where, changes) => {
      if (changes.status === undefined) return customers.updateMany(where, changes, within)
      return (await Customer.update({ status: changes.status }, { where, ...within }))[0]
    },
    upsert: (row) => customers.upsert(values(row), within),
    delete: async ({ id, orgId }) => {
      const row = await Customer.findOne({ where: { id, orgId }, ...within })
      if (row === null) return undefined
      await row.destroy(within)
      return read(row)
    },
    get: async ({ id, orgId }) => {
      const row = await Customer.findOne({ where: { id, orgId }, ...within })
      return row === null ? undefined : read(row)
    },
    findMany: async (orgId) => (await Customer.findAll({ where: { orgId }, order: ['id'], ...within })).map(read),
    search: async (name, value, orgId) => {
      const rows = await customers.search(name, value as never, { tenant: orgId }, { where: { orgId }, ...within })
      return rows.map(read)
    },
    pick: async (orgId) => {
      const attributes = ['id', 'orgId', 'name', 'birthDate']
      const rows = await Customer.findAll({ attributes, where: { orgId }, order: ['id'], ...within })
      return rows.map(({ name, birthDate }) => ({ name, birthDate }))
    },
    createWithOrders: (row, orders) =>
      both(async (own) => {
        const nested = { ...values(row), orders: orders.map((order) => ({ ...order })) }
        await Customer.create(nested, { include: [{ model: Order, as: 'orders' }], transaction: own })
      }),
    withOrders: async (orgId) => {
      const rows = await Customer.findAll({ where: { orgId }, include: [{ model: Order, as: 'orders' }], ...within })
      return rows.map((row) => {
        const { orders = [], ...customer } = read(row) as suite.Customer & { orders?: suite.Order[] }
        return { customer, orders }
      })
    },
  }
}
