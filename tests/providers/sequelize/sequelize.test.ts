import { QueryTypes } from 'sequelize'
import { describeAdapter } from '../../adapters/conformance.ts'
import { SEQUELIZE } from '../../adapters/differences.ts'
import { PostgresUnderTest } from '../../adapters/postgres-under-test.ts'
import { type SequelizeHarness, sequelizeHarness } from '../../adapters/sequelize-harness.ts'
import { connection } from './connection.ts'
import { describeOwn } from './own-cases.ts'

let postgres: PostgresUnderTest
const open: SequelizeHarness[] = []

describeAdapter(
  'Sequelize on PostgreSQL',
  async () => {
    postgres = await PostgresUnderTest.start()
    const options = { dialect: 'postgres', ...connection(postgres.database.connectionString) } as const
    return postgres.with(async (room) => {
      const harness = await sequelizeHarness(options, room, {
        bytes: 'bytea',
        nextOrderId: async (sequelize) => {
          const [row] = await sequelize.query<{ id: string }>(`select nextval('order_ids') as id`, {
            type: QueryTypes.SELECT,
          })
          return Number(row?.id)
        },
      })
      open.unshift(harness)
      return harness
    })
  },
  () => postgres.stop(),
  describeOwn,
  SEQUELIZE,
)
