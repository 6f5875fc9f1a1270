import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { QueryTypes, Sequelize } from 'sequelize'
import { describeAdapter } from '../../adapters/conformance.ts'
import { sequelizeHarness } from '../../adapters/sequelize-harness.ts'
import { suiteTables } from '../../adapters/tables.ts'
import { describeComponent } from '../../components/component.ts'

const driver = createRequire(`${resolve('tests/components/sqlite')}/package.json`)

function whyNot(): string | undefined {
  try {
    driver('sqlite3')
    return undefined
  } catch {
    return 'no sqlite3 for this Node: npm --prefix tests/components/sqlite install'
  }
}

describeComponent('Sequelize', whyNot(), () => {
  let home: string
  let plain: Sequelize

  describeAdapter(
    'on SQLite',
    async () => {
      home = await mkdtemp(join(tmpdir(), 'strongroom-sequelize-'))
      const dialectModule = driver('sqlite3') as object
      const options = { dialect: 'sqlite', storage: join(home, 'suite.db'), dialectModule, logging: false } as const
      plain = new Sequelize(options)
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
      await rm(home, { recursive: true, force: true })
    },
  )
})
