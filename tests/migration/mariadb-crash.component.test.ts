import { describeComponent } from '../components/component.ts'
import { MARIADB_MISSING } from '../fixtures/mariadb.ts'
import { mariadbApp } from './app-database.ts'
import { testCrashes } from './crash-suite.ts'

describeComponent('in MariaDB', MARIADB_MISSING, () => testCrashes(mariadbApp, 40))
