import { describeComponent } from '../components/component.ts'
import { BETTER_SQLITE3_MISSING, openNodeSqlite } from '../fixtures/sqlite.ts'
import { sqliteApp } from './app-database.ts'
import { testCrashes } from './crash-suite.ts'

const missing = openNodeSqlite === undefined ? BETTER_SQLITE3_MISSING : undefined

describeComponent('in SQLite', missing, () => testCrashes(sqliteApp, 40))
