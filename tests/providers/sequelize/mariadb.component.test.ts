import { QueryTypes } from 'sequelize'
import { describeAdapter } from '../../adapters/conformance.ts'
import { SEQUELIZE } from '../../adapters/differences.ts'
import { MariadbUnderTest } from '../../adapters/mariadb-under-test.ts'
import { sequelizeHarness } from '../../adapters/sequelize-harness.ts'
import { describeComponent } from '../../components/component.ts'
import { MARIADB_MISSING } from '../../fixtures/mariadb.ts'
import { connection } from './connection.ts'
import { describeOwn } from './own-cases.ts'

describeComponent('Sequelize', MARIADB_MISSING, () => {
  let mariadb: MariadbUnderTest

  describeAdapter(
    'on MariaDB',
    async () => {
      mariadb = await MariadbUnderTest.start()
      const options = { dialect: 'mysql', ...connection(mariadb.server.connectionString) } as const
      return mariadb.with((room) =>
        sequelizeHarness(options, room, {
          bytes: 'longblob',
          nextOrderId: async (sequelize) => {
            const type = QueryTypes.SELECT
            const [row] = await sequelize.query<{ id: string }>('select nextval(order_ids) as id', { type })
            return Number(row?.id)
          },
        }),
      )
    },
    () => mariadb.stop(),
    describeOwn,
    SEQUELIZE,
  )
})
