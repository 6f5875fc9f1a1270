import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { describeComponent } from '../components/component.ts'
import { MARIADB_MISSING } from '../fixtures/mariadb.ts'
import { BETTER_SQLITE3_MISSING } from '../fixtures/sqlite.ts'
import { type AppDatabase, mariadbApp, sqliteApp } from '../migration/app-database.ts'
import { createCustomers, type Room } from '../migration/customers.ts'
import { capture } from './capture.ts'

const ROWS = 60

/** How a configuration reaches the table, as the lines that import and the expression. */
interface Place {
  readonly start: () => Promise<AppDatabase>
  readonly imports: string
  readonly table: (url: string) => string
  /** What the plan shows of the rename and of the drop. */
  readonly plan: readonly (string | RegExp)[]
}

const MARIADB: Place = {
  start: mariadbApp,
  imports: `import { mysqlTable } from 'strongroom/mysql'`,
  table: (url) => `mysqlTable({ connectionString: ${JSON.stringify(url)}, table: 'customers' })`,
  plan: [
    '`email_encrypted` longtext',
    'lock tables `customers` write;',
    'rename column `email` to `email_plaintext`, rename column `email_encrypted` to `email`',
    'drop column `born`',
  ],
}
const SQLITE: Place = {
  start: sqliteApp,
  imports: `import { createRequire } from 'node:module'
import { sqliteTable } from 'strongroom/sqlite'
const Database = createRequire(${JSON.stringify(resolve('tests/components/sqlite/package.json'))})('better-sqlite3')`,
  table: (url) =>
    `sqliteTable({ database: new Database(${JSON.stringify(new URL(url).pathname)}), table: 'customers' })`,
  plan: [
    'add column "email_encrypted" text',
    /rename column "email" to "email_plaintext";\s+alter table "customers" rename column "email_encrypted" to "email"/,
    'drop column "born"',
  ],
}

function testCommand({ start, imports, table, plan }: Place): void {
  let app: AppDatabase
  let folder: string
  let room: Room
  beforeAll(async () => {
    app = await start()
    folder = mkdtempSync(join(tmpdir(), 'strongroom-migrate-'))
    room = await createCustomers(app, folder, ROWS)
    writeFileSync(
      join(folder, 'strongroom.config.ts'),
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
  }, 60_000)
  afterAll(async () => {
    await room.close()
    await app.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  async function strongroom(...args: string[]) {
    const { streams, written } = capture()
    const code = await run([...args, '--config', join(folder, 'strongroom.config.ts')], streams)
    return { code, ...written }
  }
  const names = async () => Object.keys((await app.query('select * from customers limit 1'))[0] as object)

  test('plans, and changes nothing', async () => {
    const before = await names()
    const { code, stdout, stderr } = await strongroom('migrate', 'customers')
    expect({ code, stderr }).toMatchObject({ code: 0 })
    for (const part of plan) expect(stdout).toMatch(part)
    expect(stdout).toContain('at: none; next: run begins')
    expect(stderr).toContain('index customers_email on email is dropped by clean, and with it that values are unique')
    expect(await names()).toEqual(before)
  })

  test('goes there and back', async () => {
    const before = await names()
    for (const step of [['run'], ['verify'], ['switch'], ['clean', '--yes']]) {
      expect(await strongroom('migrate', 'customers', ...step), step[0]).toMatchObject({ code: 0 })
    }
    expect(await names()).not.toContain('born')
    expect(await strongroom('census', '--check')).toMatchObject({ code: 0 })
    for (const step of [['rollback'], ['clean', '--yes']]) {
      expect(await strongroom('migrate', 'customers', ...step), step[0]).toMatchObject({ code: 0 })
    }
    expect((await names()).sort()).toEqual(before.sort())
    expect(await app.query(`select email, ${app.textOf('born')} as born from customers where id = 2`)).toEqual([
      { email: 'Person.2@example.com', born: '1952-03-03' },
    ])
  }, 60_000)
}

describeComponent('strongroom migrate on MariaDB', MARIADB_MISSING, () => testCommand(MARIADB))
describeComponent('strongroom migrate on SQLite', BETTER_SQLITE3_MISSING, () => testCommand(SQLITE))
