import { argon2id, defineStrongroom } from 'strongroom'
import { postgresKeyStore, postgresTable } from 'strongroom/postgres'
import { sodiumKms } from 'strongroom/sodium'
import { records } from './records.ts'
import { settings } from './settings.ts'

const connectionString = settings.databaseUrl

// Read by the application and by the `strongroom` command alike.
export default defineStrongroom({
  name: 'customer-service', // part of everything that is encrypted: never change it once there is data
  kms: sodiumKms({ path: settings.keyFile }), // in production a KMS: awsKms({ keyId: 'alias/customer-service' })
  store: postgresKeyStore({ connectionString }),
  records,
  tables: {
    accounts: postgresTable({ connectionString, table: 'accounts' }),
    customers: postgresTable({ connectionString, table: 'customers' }),
  },
  passwords: argon2id(),
  keyring: { refreshInterval: 500 }, // ms until this process knows of a rotation that another one made
})
