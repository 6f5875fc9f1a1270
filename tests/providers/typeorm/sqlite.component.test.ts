import { createRequire } from 'node:module'
import { describeAdapter } from '../../adapters/conformance.ts'
import { TYPEORM_ON_SQLITE } from '../../adapters/differences.ts'
import { SqliteUnderTest } from '../../adapters/sqlite-under-test.ts'
import { suiteEntities, typeormHarness } from '../../adapters/typeorm-harness.ts'
import { describeComponent } from '../../components/component.ts'
import { BETTER_SQLITE3_MISSING, SQLITE_COMPONENT } from '../../fixtures/sqlite.ts'

describeComponent('TypeORM', BETTER_SQLITE3_MISSING, () => {
  let sqlite: SqliteUnderTest

  describeAdapter(
    'on SQLite',
    async () => {
      sqlite = new SqliteUnderTest()
      const driver = createRequire(SQLITE_COMPONENT)('better-sqlite3')
      const entities = Object.values(suiteEntities('blob'))
      return sqlite.with((room) => {
        return typeormHarness({ type: 'better-sqlite3', driver, database: sqlite.path, entities }, room)
      })
    },
    () => sqlite.stop(),
    undefined,
    TYPEORM_ON_SQLITE,
  )
})
