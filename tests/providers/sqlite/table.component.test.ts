import { describe } from 'vitest'
import { describeComponent } from '../../components/component.ts'
import { BETTER_SQLITE3_MISSING, openBetterSqlite, openNodeSqlite } from '../../fixtures/sqlite.ts'
import { testTable } from './table-cases.ts'

describeComponent('sqliteTable, opened by better-sqlite3', BETTER_SQLITE3_MISSING, () => testTable(openBetterSqlite))

// Node 20 does not have it.
describe.skipIf(openNodeSqlite === undefined)('sqliteTable, opened by node:sqlite', () => {
  if (openNodeSqlite !== undefined) testTable(openNodeSqlite)
})
