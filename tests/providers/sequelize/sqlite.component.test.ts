import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { QueryTypes, Sequelize } from 'sequelize'
import { describeAdapter } from '../../adapters/conformance.ts'
import { SEQUELIZE } from '../../adapters/differences.ts'
import { sequelizeHarness } from '../../adapters/sequelize-harness.ts'
import { suiteTables } from '../../adapters/tables.ts'
import { describeComponent } from '../../components/component.ts'
import { SQLITE_COMPONENT } from '../../fixtures/sqlite.ts'
import { describeOwn } from './own-cases.ts'

const driver = createRequire(SQLITE_COMPONENT)

function whyNot(): string | undefined {
  try {
    driver('sqlite3')
    return undefined
  } catch {
    return 'no sqlite3 for this Node: npm --prefix tests/components/sqlite install'
  }
}

describeComponent('Sequelize', whyNot(), () => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-sequelize-'))
  // Two libraries of SQLite in one process take each other's locks away, so the file is looked at by this driver as well.
  let plain: Sequelize

  describeAdapter(
    'on SQLite',
    async () => {
      const dialectModule = driver('sqlite3') as object
      const options = { dialect: 'sqlite', storage: join(folder, 'suite.db'), dialectModule } as const
      plain = new Sequelize({ ...options, logging: false })
      for (const statement of suiteTables('sqlite')) await plain.query(statement)
      let orders = 0
      return {
        open: (room) => sequelizeHarness(options, room, { bytes: 'blob', nextOrderId: async () => ++orders }),
        stored: (table) => plain.query(`select * from ${table}`, { type: QueryTypes.SELECT }),
        move: async (column, from, to) => {
          const sql = `update customers set ${column} = (select ${column} from customers where id = ?) where id = ?`
          await plain.query(sql, { replacements: [from, to] })
        },
        clear: async () => {
          for (const table of ['customers', 'orders']) await plain.query(`delete from ${table}`)
        },
      }
    },
    async () => {
      await plain.close()
      rmSync(folder, { recursive: true, force: true })
    },
    describeOwn,
    SEQUELIZE,
  )
})
