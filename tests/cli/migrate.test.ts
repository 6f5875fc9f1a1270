import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AppDatabase, postgresApp } from '../migration/app-database.ts'
import { customersConfig } from './customers-config.ts'

const ROWS = 120
const POSTGRES = {
  imports: `import { postgresTable } from 'strongroom/postgres'`,
  table: (url: string) => `postgresTable({ connectionString: ${JSON.stringify(url)}, table: 'customers' })`,
}

let app: AppDatabase
let customers: Awaited<ReturnType<typeof customersConfig>>

beforeAll(async () => {
  app = await postgresApp()
  customers = await customersConfig(app, ROWS, POSTGRES)
  await app.query('analyze customers')
})
afterAll(async () => {
  await customers.remove()
  await app.stop()
})

const strongroom = (...args: string[]) => customers.strongroom(...args)
const shape = () =>
  app.query(`select column_name, is_nullable from information_schema.columns where table_name = 'customers' order by 1`)

describe('strongroom migrate', () => {
  test('plans without changing anything: columns, SQL, sizes and a time', async () => {
    const before = await shape()
    const { code, stdout, stderr } = await strongroom('migrate', 'customers')
    expect(code).toBe(0)
    expect(stdout).toContain(`customers (postgres customers): about ${ROWS} rows`)
    expect(stdout).toMatch(
      /email +email \(text\) +plain +email_encrypted \(text\) is added +email becomes email_plaintext, email_encrypted becomes email/,
    )
    expect(stdout).toMatch(/birthDate +born \(date\) +plain +birthDate \(text\) is added/)
    expect(stdout).toMatch(/email_index +14 +6 +customers_email_index_[0-9a-f]{8}_idx is made/)
    expect(stdout).toContain('alter table "customers" add column if not exists "email_encrypted" text;')
    expect(stdout).toContain('rename column "email" to "email_plaintext"')
    expect(stdout).toContain('drop column if exists "born"')
    expect(stdout).toMatch(/looked at all 120 rows: \d+ bytes a row are added, .* about \d+ s to fill and to compare/)
    expect(stdout).toContain('at: none; next: run begins')
    expect(stderr).toContain('index customers_email on email is dropped by clean, and with it that values are unique')
    const plan = JSON.parse((await strongroom('migrate', 'customers', 'plan', '--json')).stdout)
    expect(plan).toMatchObject({ record: 'customers', sample: { rows: ROWS, unreadable: 0 }, state: { phase: 'none' } })
    expect((await strongroom('migrate', 'customers', 'run', '--dry-run')).stdout).toContain('-- run')
    expect(await shape()).toEqual(before)
    expect(await app.query(`select to_regclass('strongroom_jobs') as jobs`)).toEqual([{ jobs: null }])
  })

  test('names the rows that have no value before it begins, and ends with 1', async () => {
    await app.query(`update customers set born = 'infinity' where id = 3`)
    const { code, stderr } = await strongroom('migrate', 'customers', 'run', '--dry-run')
    expect(code).toBe(1)
    const planned = await strongroom('migrate', 'customers')
    expect(planned.code).toBe(1)
    expect(planned.stderr).toContain('1 rows have no value in an old column, and will be set aside: 3')
    await app.query(`update customers set born = null where id = 3`)
    expect(stderr).not.toContain('at ')
  })

  test('goes through the steps, refuses those out of order, and asks before it drops', async () => {
    const early = await strongroom('migrate', 'customers', 'switch')
    expect(early).toMatchObject({ code: 1, stderr: expect.stringContaining('has not begun') })
    const ran = await strongroom('migrate', 'customers', 'run', '--batch', '50')
    expect(ran).toMatchObject({ code: 0 })
    expect(ran.stdout).toMatch(/customers +verified +120 +0 +0 +0/)
    expect(ran.stderr).toMatch(/customers: backfill[\s\S]*customers: verified/)
    expect(ran.stderr).toContain('hint: deploy the application that writes both columns')
    const status = await strongroom('migrate', 'customers', 'status', '--json')
    expect(JSON.parse(status.stdout)).toMatchObject({ phase: 'verified', state: 'stopped' })
    expect((await strongroom('status')).stderr).toContain('strongroom migrate customers status')
    const sample = await strongroom('migrate', 'customers', 'verify', '--sample', '40')
    expect(sample.stderr).toContain('which proves nothing of the others')
    expect(await strongroom('migrate', 'customers', 'verify')).toMatchObject({ code: 0 })
    expect(await strongroom('migrate', 'customers', 'switch')).toMatchObject({ code: 0 })
    const asked = await strongroom('migrate', 'customers', 'clean')
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') })
    const cleaned = await strongroom('migrate', 'customers', 'clean', '--yes', '--json')
    expect(JSON.parse(cleaned.stdout)).toMatchObject({
      record: 'customers',
      step: 'clean',
      phase: 'cleaned',
      complete: true,
    })
    expect((await shape()).map((column) => column.column_name)).not.toContain('born')
    expect(await strongroom('census', '--check')).toMatchObject({ code: 0 })
  })

  test('leads back when everything is done, to a table as it was', async () => {
    expect(await strongroom('migrate', 'customers', 'rollback')).toMatchObject({ code: 0 })
    expect(await strongroom('migrate', 'customers', 'clean', '--yes')).toMatchObject({ code: 0 })
    expect(await app.query(`select email, born::text as born from customers where id = 2`)).toEqual([
      { email: 'Person.2@example.com', born: '1952-03-03' },
    ])
  })

  test('is refused for a table without a migration, and for a step that there is not', async () => {
    expect(await strongroom('migrate', 'nobody')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('migrations: customers'),
    })
    expect(await strongroom('migrate', 'customers', 'finish')).toMatchObject({ code: 2 })
    expect(await strongroom('migrate', 'customers', 'plan', '--sample', 'x')).toMatchObject({ code: 2 })
  })
})
