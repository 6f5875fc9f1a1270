import { describeComponent } from '../components/component.ts'
import { MARIADB_MISSING } from '../fixtures/mariadb.ts'
import { mariadbApp } from './app-database.ts'
import { testMigrations } from './suite.ts'

describeComponent('in MariaDB', MARIADB_MISSING, () => testMigrations(mariadbApp))
