import { describe } from 'vitest'
import { describeComponent } from '../../components/component.ts'
import { BETTER_SQLITE3_MISSING, openBetterSqlite, openNodeSqlite } from '../../fixtures/sqlite.ts'
import { testKeyStore } from './key-store-cases.ts'

describeComponent('a key store in SQLite, opened by better-sqlite3', BETTER_SQLITE3_MISSING, () =>
  testKeyStore(openBetterSqlite, true),
)

// Node 20 does not have it.
describe.skipIf(openNodeSqlite === undefined)('a key store in SQLite, opened by node:sqlite', () => {
  if (openNodeSqlite !== undefined) testKeyStore(openNodeSqlite, false)
})
