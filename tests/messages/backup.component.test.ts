import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run as command } from '../../src/cli/program.ts'
import { capture } from '../cli/capture.ts'
import { describeComponent } from '../components/component.ts'
import { startPostgres, type TestPostgres } from '../fixtures/postgres.ts'

const run = promisify(execFile)
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const hasClients = spawnSync('psql', ['--version']).status === 0

describeComponent(
  'a sealed backup',
  hasClients ? undefined : 'psql is missing: apt-get install postgresql-client',
  () => {
    let home: string
    let server: TestPostgres
    let source: string
    const at = (name: string) => join(home, name)
    const database = (name: string) => server.connectionString.replace(/postgres$/, name)

    /** The command line, within this process because starting one takes longer than the work. */
    async function strongroom(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
      const { streams, written } = capture()
      return { code: await command(['--config', at('strongroom.config.mjs'), ...args], streams), ...written }
    }

    async function sql(name: string, text: string, values: unknown[] = []): Promise<pg.QueryResult> {
      const client = new pg.Client({ connectionString: database(name) })
      await client.connect()
      try {
        return await client.query(text, values)
      } finally {
        await client.end()
      }
    }

    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), 'strongroom-backup-'))
      // A provider of its own: the configuration must not depend on a build of the package.
      writeFileSync(
        at('strongroom.config.mjs'),
        `import { rawAes } from ${JSON.stringify(here('../../providers/raw/index.ts'))}
       export default { name: 'shop', kms: rawAes({ namespace: 'tests', name: 'backup', key: new Uint8Array(32).fill(3) }) }`,
      )
      server = await startPostgres()
      await sql('postgres', 'create database shop')
      source = database('shop')
      await sql(
        'shop',
        `create schema "Odd schema"; create table customers (id int primary key, name text, note bytea)`,
      )
      await sql(
        'shop',
        `create table "Odd schema"."Orders; drop" (id int, total numeric(10, 2), at timestamptz default now())`,
      )
      await sql(
        'shop',
        `insert into customers select i, 'name ' || i || ' ä 🌍', decode(md5(i::text), 'hex') from generate_series(1, 5000) i`,
      )
      await sql('shop', `insert into "Odd schema"."Orders; drop" select i, i * 1.25 from generate_series(1, 3000) i`)
      await dump(at('dump.sql'))
      await strongroom('seal', at('dump.sql'), '-o', at('backup.sr'), '--verify')
    }, 60_000)
    afterAll(async () => {
      await server?.stop()
      rmSync(home, { recursive: true })
    })

    /** With pg_dump where it is not older than the server, else the same SQL made from the tables themselves. */
    async function dump(path: string): Promise<void> {
      if (spawnSync('pg_dump', ['--dbname', source, '--file', path]).status === 0) return
      const lines = ['create schema "Odd schema";']
      for (const [table, columns] of [
        ['customers', 'id int primary key, name text, note bytea'],
        ['"Odd schema"."Orders; drop"', 'id int, total numeric(10, 2), at timestamptz'],
      ] as const) {
        const rows = execFileSync('psql', ['--dbname', source, '--command', `copy ${table} to stdout`], {
          maxBuffer: 2 ** 26,
        })
        lines.push(`create table ${table} (${columns});`, `copy ${table} from stdin;`, `${rows}\\.`, '')
      }
      writeFileSync(path, lines.join('\n'))
    }

    it('is restored into an empty database with the same rows in every table', async () => {
      await sql('postgres', 'create database drill')
      const { stdout, stderr } = await strongroom(
        'backup',
        'verify',
        at('backup.sr'),
        '--restore-into',
        database('drill'),
        '--compare-with',
        source,
      )
      expect(stdout).toContain('public.customers')
      expect(stdout).toMatch(/5,000/)
      expect(stderr).toContain('restored 2 tables, the same as the original')
      expect((await sql('drill', 'select name from customers where id = 7')).rows).toEqual([{ name: 'name 7 ä 🌍' }])
    })

    it('is restored by a drill that holds the key of its detached recipients alone', async () => {
      writeFileSync(
        at('drill.config.mjs'),
        readFileSync(at('strongroom.config.mjs'), 'utf8').replace("name: 'backup'", "name: 'drill'"),
      )
      const drill = (...args: string[]) => strongroom('--config', at('drill.config.mjs'), ...args)
      await sql('postgres', 'create database by_drill')
      const verify = ['backup', 'verify', at('backup.sr'), '--restore-into', database('by_drill')]
      expect((await drill(...verify)).code).toBe(1)
      await drill('rewrap-file', at('backup.sr'), '--detached', '--from', at('strongroom.config.mjs'))
      expect((await drill(...verify, '--compare-with', source)).stderr).toContain('the same as the original')
      await sql('postgres', 'create database by_pipe')
      const recipients = ['--recipients', at('backup.sr.recipients')]
      expect(
        await drill('backup', 'verify', at('backup.sr'), '--restore-into', database('by_pipe'), ...recipients),
      ).toMatchObject({ code: 0 })
      rmSync(at('backup.sr.recipients'))
    })

    it('is never restored into a database that holds a table', async () => {
      await sql('postgres', 'create database used')
      await sql('used', 'create table precious (id int)')
      expect(await strongroom('backup', 'verify', at('backup.sr'), '--restore-into', database('used'))).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('not empty'),
      })
    })

    it('that is damaged or cut off leaves the database empty', async () => {
      await sql('postgres', 'create database damaged')
      const bytes = readFileSync(at('backup.sr'))
      const changed = Buffer.from(bytes)
      changed[bytes.length - 1000] = (changed[bytes.length - 1000] as number) ^ 1
      for (const bad of [changed, bytes.subarray(0, -1), bytes.subarray(0, bytes.length >> 1)]) {
        writeFileSync(at('bad.sr'), bad)
        expect(await strongroom('backup', 'verify', at('bad.sr'), '--restore-into', database('damaged'))).toMatchObject(
          {
            code: 1,
            stderr: expect.stringContaining('decryption failed'),
          },
        )
        expect(
          (await sql('damaged', `select count(*)::int as n from pg_tables where schemaname = 'public'`)).rows,
        ).toEqual([{ n: 0 }])
      }
    })

    it('that differs from the original is reported by table', async () => {
      await sql('postgres', 'create database later')
      await sql('postgres', 'create database shop2 template shop')
      await sql('shop2', `update customers set name = 'changed' where id = 1`)
      expect(
        await strongroom(
          'backup',
          'verify',
          at('backup.sr'),
          '--restore-into',
          database('later'),
          '--compare-with',
          database('shop2'),
          '--json',
        ),
      ).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('"same": false'),
        stderr: expect.stringContaining('public.customers'),
      })
    })

    it('is made by the script of the guide, from the dump to the proof', async () => {
      await sql('postgres', 'create database scripted')
      // Stands in for both commands, so that the script runs on any server version and without a build.
      writeFileSync(at('fake-dump'), `#!/bin/sh\nexec cat ${at('dump.sql')}\n`)
      writeFileSync(
        at('strongroom'),
        `#!/bin/sh\ncd ${here('../..')}\nexec ${process.execPath} --import tsx src/cli/main.ts --config ${at('strongroom.config.mjs')} "$@"\n`,
      )
      for (const name of ['fake-dump', 'strongroom']) chmodSync(at(name), 0o755)
      const env = { ...process.env, STRONGROOM: at('strongroom'), PG_DUMP: at('fake-dump') }
      await run(here('../../docs/examples/backup.sh'), [source, at('made.sr'), database('scripted')], { env })
      expect(existsSync(at('made.sr'))).toBe(true)
      expect(existsSync(at('made.sr.unchecked'))).toBe(false)
      writeFileSync(at('fake-dump'), '#!/bin/sh\necho "create table t (id int);"\nexit 1\n')
      await sql('postgres', 'create database scripted2')
      await expect(
        run(here('../../docs/examples/backup.sh'), [source, at('short.sr'), database('scripted2')], { env }),
      ).rejects.toThrow()
      expect(existsSync(at('short.sr'))).toBe(false)
    })
  },
)
