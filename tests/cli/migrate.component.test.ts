import { resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeComponent } from '../components/component.ts'
import { MARIADB_MISSING } from '../fixtures/mariadb.ts'
import { BETTER_SQLITE3_MISSING } from '../fixtures/sqlite.ts'
import { type AppDatabase, mariadbApp, sqliteApp } from '../migration/app-database.ts'
import { customersConfig, type TablePlace } from './customers-config.ts'

const ROWS = 60

interface Place extends TablePlace {
  readonly start: () => Promise<AppDatabase>
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

function testCommand({ start, plan, ...place }: Place): void {
  let app: AppDatabase
  let customers: Awaited<ReturnType<typeof customersConfig>>
  beforeAll(async () => {
    app = await start()
    customers = await customersConfig(app, ROWS, place)
  }, 60_000)
  afterAll(async () => {
    await customers.remove()
    await app.stop()
  })

  const strongroom = (...args: string[]) => customers.strongroom(...args)
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
