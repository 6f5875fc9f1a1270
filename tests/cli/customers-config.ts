import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../src/cli/program.ts'
import type { AppDatabase } from '../migration/app-database.ts'
import { createCustomers } from '../migration/customers.ts'
import { capture } from './capture.ts'

/** How a configuration reaches the table, as the lines that import and the expression. */
export interface TablePlace {
  readonly imports: string
  readonly table: (url: string) => string
}

/** The customers of an application in plaintext, and a configuration that declares their migration. */
export async function customersConfig(app: AppDatabase, rows: number, { imports, table }: TablePlace) {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-migrate-'))
  const room = await createCustomers(app, folder, rows)
  const config = join(folder, 'strongroom.config.ts')
  writeFileSync(
    config,
    `import { date, defineMigration, defineRecord, defineStrongroom, text } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { rawAes } from 'strongroom/raw'
${imports}
const customers = defineRecord('customers', {
  email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
  birthDate: date({ nullable: true }),
}, { id: 'id', tenant: 'tenant' })
export default defineStrongroom({
  name: 'migration',
  kms: rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 7) }),
  store: fileKeyStore({ path: ${JSON.stringify(join(folder, 'keys'))} }),
  records: { customers },
  tables: { customers: ${table(app.url)} },
  migrations: { customers: defineMigration(customers, { columns: { email: { from: 'email' }, birthDate: { from: 'born' } } }) },
})
`,
  )
  return {
    room,
    /** Runs the command with this configuration. */
    async strongroom(...args: string[]) {
      const { streams, written } = capture()
      const code = await run([...args, '--config', config], streams)
      return { code, ...written }
    },
    /** Closes the room and removes the folder. */
    async remove() {
      await room.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
