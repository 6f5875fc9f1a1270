import { describeAdapter } from '../../adapters/conformance.ts'
import { TYPEORM } from '../../adapters/differences.ts'
import { MariadbUnderTest } from '../../adapters/mariadb-under-test.ts'
import { suiteEntities, typeormHarness } from '../../adapters/typeorm-harness.ts'
import { describeComponent } from '../../components/component.ts'
import { MARIADB_MISSING } from '../../fixtures/mariadb.ts'
import { describeStreams } from './suite-streams.ts'

describeComponent('TypeORM', MARIADB_MISSING, () => {
  let mariadb: MariadbUnderTest

  describeAdapter(
    'on MariaDB',
    async () => {
      mariadb = await MariadbUnderTest.start()
      const { connectionString: url } = mariadb.server
      const entities = Object.values(suiteEntities('longblob'))
      return mariadb.with((room) => typeormHarness({ type: 'mariadb', url, entities }, room))
    },
    () => mariadb.stop(),
    describeStreams,
    TYPEORM,
  )
})
