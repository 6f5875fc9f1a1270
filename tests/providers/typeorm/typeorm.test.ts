import type { BeforeQueryEvent, DataSource, QueryRunner } from 'typeorm'
import { describe, expect, test } from 'vitest'
import { encryptedEntity } from '../../../providers/typeorm/index.ts'
import { ConfigError } from '../../../src/errors.ts'
import type { Case } from '../../adapters/case.ts'
import { describeAdapter } from '../../adapters/conformance.ts'
import { TYPEORM } from '../../adapters/differences.ts'
import { PostgresUnderTest } from '../../adapters/postgres-under-test.ts'
import type * as suite from '../../adapters/records.ts'
import { refusal } from '../../adapters/refusal.ts'
import { customer, order, plain } from '../../adapters/samples.ts'
import { Customers, Orders, typeormHarness } from '../../adapters/typeorm-harness.ts'
import { describeStreams } from './suite-streams.ts'

let postgres: PostgresUnderTest
const sources: DataSource[] = []

describeAdapter(
  'TypeORM on PostgreSQL',
  async () => {
    postgres = await PostgresUnderTest.start()
    const { connectionString: url } = postgres.database
    return postgres.with(async (room) => {
      const harness = await typeormHarness({ type: 'postgres', url, entities: [Customers, Orders] }, room)
      sources.unshift(harness.source)
      return harness
    })
  },
  () => postgres.stop(),
  describeOwn,
  TYPEORM,
)

function describeOwn(the: () => Case): void {
  const manager = () => (sources[0] as DataSource).manager

  describe('save', () => {
    test('of a loaded entity updates it, its indexes with it, and leaves the entity as it was given', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const loaded = await manager().findOneByOrFail(Customers, { id: row.id })
      const changed = Object.assign(loaded, { name: 'Ada', birthDate: null })
      const saved = await manager().save(Customers, changed)
      expect(plain(saved)).toEqual(plain({ ...row, name: 'Ada', birthDate: null }))
      expect(plain((await the().adapter.get(row)) as object)).toEqual(plain(saved))
      expect((await the().adapter.search('name', 'ada', 'acme')).map(({ id }) => id)).toEqual([row.id])
    })

    test('of a part of an entity completes compound indexes from the row', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      await manager().save(Customers, { id: row.id, orgId: 'acme', name: 'Ada' } as suite.Customer)
      const value = { name: 'Ada', birthDate: row.birthDate as Date }
      expect((await the().adapter.search('person_index', value, 'acme')).map(({ id }) => id)).toEqual([row.id])
      expect((await the().adapter.get(row))?.email).toBe(row.email)
    })

    test('of an entity with new children encrypts all of them', async () => {
      const row = customer('acme', 1)
      const children = [order(row, 1), order(row, 2, null)]
      await manager().save(Customers, { ...row, orders: children.map((child) => ({ ...child })) })
      expect(await the().adapter.withOrders('acme')).toEqual([{ customer: expect.anything(), orders: children }])
    })

    test('that moves a row to another tenant is refused', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      await expect(manager().save(Customers, { ...row, orgId: 'globex' })).rejects.toThrow(refusal(/orgId/))
    })

    test('that fails gives the entity its values back', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const twice = { ...customer('acme', 2), email: row.email }
      await expect(manager().save(Customers, twice)).rejects.toThrow(/unique/)
      expect(twice.email).toBe(row.email)
      await expect(manager().insert(Customers, twice)).rejects.toThrow(/unique/)
      expect(twice.email).toBe(row.email)
    })

    test('that fails by another subscriber gives the entity its values back', async () => {
      const source = sources[0] as DataSource
      const other = {
        afterInsert: () => Promise.reject(new Error('no')),
        beforeInsert: () => Promise.reject(new Error('no')),
      }
      source.subscribers.unshift(other)
      try {
        const row = customer('acme', 1)
        const given = { ...row }
        await expect(manager().save(Customers, given)).rejects.toThrow('no')
        expect(given).toEqual(row)
        await manager().transaction(async (inner) => {
          await inner.save(Customers, given).catch(() => undefined)
        })
        expect(given).toEqual(row)
      } finally {
        source.subscribers.splice(source.subscribers.indexOf(other), 1)
      }
    })

    test('of an entity that is frozen is refused with the reason, and the others have their values back', async () => {
      for (const lock of [Object.freeze, Object.seal, Object.preventExtensions]) {
        const rows = [customer('acme', 31), lock(customer('acme', 32))]
        const before = rows.map((row) => ({ ...row }))
        await expect(manager().insert(Customers, rows)).rejects.toThrow(/frozen or sealed/)
        expect(rows).toEqual(before)
        expect(await manager().countBy(Customers, { id: rows[0]?.id as string })).toBe(0)
      }
    })

    test('of an entity whose property cannot be written fails, and all have their values back', async () => {
      const rows = [customer('acme', 33), customer('acme', 34), customer('acme', 35)]
      Object.defineProperty(rows[1], 'name', { value: 'Ada', enumerable: true, writable: false })
      const before = rows.map((row) => ({ ...row }))
      await expect(manager().insert(Customers, rows)).rejects.toThrow(/read only property 'name'/)
      expect(rows).toEqual(before)
      await manager().insert(Customers, rows[0] as never)
      await manager().delete(Customers, { id: rows[0]?.id as string })
    })

    test('of rows of which one is refused gives all of them their values back', async () => {
      const rows = [customer('acme', 1), customer('acme', 2), { ...customer('acme', 3), name: 5 as never }]
      const copies = rows.map((row) => ({ ...row }))
      await expect(manager().insert(Customers, rows)).rejects.toThrow(TypeError)
      expect(rows).toEqual(copies)
      const parent = { ...customer('acme', 4), orders: [{ ...order(customer('acme', 4), 1), amount: 'x' as never }] }
      await expect(manager().save(Customers, parent)).rejects.toThrow(TypeError)
      expect(parent.email).toBe(customer('acme', 4).email)
      expect(await the().under.stored('customers')).toEqual([])
    })
  })

  describe('writes of one query runner at the same time', () => {
    const bad = () => ({ ...customer('acme', 2), visits: 'many' as never })

    test('fail one by one: a row that cannot be encrypted is the business of its own statement', async () => {
      const rows = [
        customer('acme', 1),
        bad(),
        customer('acme', 3),
        { ...customer('acme', 4), email: undefined as never },
      ]
      const given = rows.map((row) => ({ ...row }))
      const results = await manager().transaction((inner) => {
        return Promise.allSettled(given.map((row) => inner.insert(Customers, row)))
      })
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
      expect(results[1]).toMatchObject({ reason: refusal(/integer/) })
      expect(results[3]).toMatchObject({ reason: refusal(/email is missing/) })
      expect(given).toEqual(rows)
      const found = await the().adapter.findMany('acme')
      expect(found.map(plain)).toEqual([plain(rows[0] as object), plain(rows[2] as object)])
    })

    test('give the rows of the statement that failed their values back, and of no other', async () => {
      const rows = [customer('acme', 1), bad(), customer('acme', 3)]
      const others = [customer('globex', 4), customer('globex', 5)]
      const given = { rows: rows.map((row) => ({ ...row })), others: others.map((row) => ({ ...row })) }
      await manager().transaction(async (inner) => {
        const parent = { ...given.others[0], orders: [{ ...order(others[0] as suite.Customer, 1) }] }
        const failed = inner.insert(Customers, given.rows).catch((error: unknown) => {
          expect(given.rows).toEqual(rows)
          return error
        })
        const [error] = await Promise.all([
          failed,
          inner.save(Customers, parent),
          inner.save(Customers, given.others[1] as object),
        ])
        expect(error).toEqual(refusal(/integer/))
        expect(parent.email).toBe(others[0]?.email)
      })
      expect(await the().under.stored('orders')).toHaveLength(1)
      expect((await the().adapter.findMany('globex')).map(plain)).toEqual(others.map(plain))
      expect(await the().adapter.findMany('acme')).toEqual([])
    })

    test('and of two tenants never mix', async () => {
      const rows = Array.from({ length: 20 }, (_, at) => customer(at % 2 === 0 ? 'acme' : 'globex', at))
      await manager().transaction((inner) => Promise.all(rows.map((row) => inner.save(Customers, { ...row }))))
      for (const orgId of ['acme', 'globex']) {
        const own = rows.filter((row) => row.orgId === orgId)
        expect((await the().adapter.findMany(orgId)).map(plain)).toEqual(own.map(plain))
      }
    })
  })

  describe('a query builder', () => {
    const select = () => manager().createQueryBuilder(Customers, 'c')
    const attempts: Record<string, [() => Promise<unknown>, RegExp]> = {
      'with a condition in text': [() => select().where('c.name = :name', { name: 'x' }).getMany(), /name_index/],
      'with like': [() => select().where('c.name like :name', { name: 'x%' }).getMany(), /name_index/],
      'with an order': [() => select().orderBy('c.visits').getMany(), /order/],
      'with an order and pages over a relation': [
        () => select().leftJoinAndSelect('c.orders', 'o').orderBy('c.visits').take(5).getMany(),
        /order/,
      ],
      'that inserts without listeners': [
        () =>
          manager()
            .createQueryBuilder()
            .insert()
            .into(Customers)
            .values(customer('acme', 9))
            .callListeners(false)
            .execute(),
        /takes only what was encrypted/,
      ],
      'that updates by an expression': [
        () =>
          manager()
            .createQueryBuilder()
            .update(Customers)
            .set({ name: () => "'plain'" })
            .where('id = :id', { id: 'x' })
            .execute(),
        /takes only what was encrypted/,
      ],
      'that inserts by an expression': [
        () =>
          manager()
            .createQueryBuilder()
            .insert()
            .into(Customers)
            .values({ ...customer('acme', 9), name: () => "'plain'" })
            .execute(),
        /takes only what was encrypted/,
      ],
      'that sums': [() => manager().sum(Customers, 'visits'), /it has no index/],
      'that takes a maximum': [() => manager().maximum(Customers, 'visits'), /it has no index/],
      'that counts distinct values': [() => select().select('count(distinct c.email)').getRawOne(), /email_index/],
      'that increments': [
        () => manager().increment(Customers, { id: 'x' }, 'visits', 1),
        /takes only what was encrypted/,
      ],
      'with a condition on a relation': [
        () => manager().find(Customers, { relations: { orders: true }, where: { orders: { memo: 'x' } } }),
        /takes only what was encrypted/,
      ],
      'that upserts': [() => manager().upsert(Customers, customer('acme', 9), ['id']), /Use upsert\(\) of/],
      'that upserts on another column than the id': [
        () => manager().upsert(Customers, customer('acme', 9), ['email_index' as 'id']),
        /on conflict/,
      ],
    }
    for (const [name, [attempt, says]] of Object.entries(attempts)) {
      test(`${name} is refused`, async () => {
        await the().adapter.create(customer('acme', 1))
        const before = await the().under.stored('customers')
        await expect(attempt()).rejects.toThrow(refusal(says))
        expect(await the().under.stored('customers')).toEqual(before)
      })
    }
  })

  describe('SQL text', () => {
    const statements: [string, unknown[]][] = [
      [`update customers set status = 'x', "name" = $1`, ['plain']],
      [`update "customers" as c set name = 'plain' where id = '1'`, []],
      [`update customers set "orgId" = 'globex'`, []],
      [`insert into customers (id, "orgId", email) values ('1', 'acme', 'plain')`, []],
      [`insert into customers (id, "orgId", email) values ('1', 'acme', $1)`, ['plain']],
      [`insert into "customers" values ('1')`, []],
      [`insert into customers (id, email) select '1', 'plain'`, []],
      [`merge into customers using orders on true when matched then update set email = 'plain'`, []],
      [
        `insert into customers (id, "orgId", status) values ('1', 'acme', 'x'),\t('2', 'acme', 'x'), row('3', 'acme', 'x')`,
        [],
      ],
      [`update customers c set c.email = $1`, ['plain']],
      [`update customers set (email, name) = ('plain', 'plain')`, []],
      [`update customers set status = (select 'x' where true), email = 'plain'`, []],
      [`update customers set status = 'it''s, x', email = $1 || 'plain'`, ['plain']],
      [`with x as (select 1) update customers set email = 'plain'`, []],
      [`/* why */ update customers set email = 'plain'`, []],
      [`update only customers set email = 'plain'`, []],
      [`update CUSTOMERS set EMAIL = 'plain'`, []],
      [`update orders o join customers c on true set c.email = 'plain'`, []],
      [`select 1; update customers set email = 'plain'`, []],
      [`update customers set email_index = $1`, ['ada@acme.example']],
      [`update customers set email_index = 'ada@acme.example'`, []],
      [`insert into customers (id, "orgId", email_index) values ('1', 'acme', $1)`, ['ada@acme.example']],
      [`insert into customers (id, "orgId", STATUS, EMAIL) values ('1', 'acme', 'x', 'plain')`, []],
      [`update customers set status = email`, []],
      [`update customers set status = case when "name" = 'Ada' then 'x' else status end`, []],
      ...['"orgId" = excluded."orgId"', 'status = customers.email', 'email_index = excluded.email_index'].map(
        (set): [string, unknown[]] => [
          `insert into customers (id, "orgId", status) values ('1', 'acme', 'x') on conflict (id) do update set ${set}`,
          [],
        ],
      ),
      [`update customers set U&"\\0065mail" = 'plain'`, []],
      [`update U&"\\0063ustomers" set email = 'plain'`, []],
      [`select 1 from customers natural join orders`, []],
      [`update customers set email = $1`, ['sr1_plain']],
      [`update customers set status = customers.email from orders o where o."customerId" = customers.id`, []],
      [`insert into customers (id, "orgId", status) values ('1', 'acme', 'x')`, []],
      [`do $$ begin update customers set email = 'plain'; end $$`, []],
    ]
    for (const [text, parameters] of statements) {
      test(`is refused: ${text}`, async () => {
        await the().adapter.create(customer('acme', 1))
        await expect((sources[0] as DataSource).query(text, parameters)).rejects.toMatchObject({
          code: 'ERR_INVALID_INPUT',
        })
      })
    }

    test('that reads, deletes or writes other columns runs', async () => {
      await the().adapter.create(customer('acme', 1))
      const { query } = sources[0] as DataSource
      const run = query.bind(sources[0])
      expect(await run('select count(*)::int as count from customers')).toEqual([{ count: 1 }])
      await run(`update customers set status = 'x' where "orgId" = $1`, ['acme'])
      await run(`/* why */ update customers set status = 'a, email = 1' where status = any(array['x'])`)
      await run(`select id from customers for update`)
      await run(`update orders set status = 'x' where "customerId" in (select id from customers)`).catch((error) => {
        expect(error).not.toMatchObject({ code: 'ERR_INVALID_INPUT' })
      })
      await run('create temporary table imports (id text, email text, name text)')
      await run(`update customers set status = i.email from imports i where i."name" = 'x' and i.id = customers.id`)
      await run(`delete from customers using imports i where i.name = 'x' and i.id = customers.id`)
      await run('delete from customers')
    })
  })

  describeStreams(the)

  test('a refused stream gives its connection back where reads go to the master, and takes none that is not its own', async () => {
    const { connectionString: url } = postgres.database
    const { source, close } = await typeormHarness(
      {
        type: 'postgres',
        poolSize: 2,
        replication: { defaultMode: 'master', master: { url }, slaves: [] },
        entities: [Customers, Orders],
      },
      await the().rooms.open(['acme']),
    )
    const own = source.createQueryRunner()
    try {
      for (let tries = 0; tries < 4; tries++) {
        const query = source.manager.createQueryBuilder(Customers, 'c').orderBy('c.name')
        await expect(query.stream()).rejects.toThrow(refusal(/order/))
        await expect(own.stream('select * from customers order by name')).rejects.toThrow(refusal(/order/))
        await new Promise(setImmediate)
      }
      expect(own.isReleased).toBe(false)
      expect(await source.manager.find(Customers)).toEqual([])
    } finally {
      await own.release()
      await close()
    }
  })

  describe('the logger of the data source', () => {
    class OwnLogger {
      readonly #queries: string[] = []
      logQuery(query: string) {
        this.#queries.push(query)
      }
      logQueryError() {}
      logQuerySlow() {}
      logSchemaBuild() {}
      logMigration() {}
      log() {}
      get queries(): readonly string[] {
        return this.#queries
      }
      count() {
        return this.#queries.length
      }
    }

    test('is told of what runs and not of what is refused, also one that is set later', async () => {
      const source = sources[0] as DataSource
      const own = new OwnLogger()
      source.setOptions({ logger: own })
      await source.query('select 1')
      await expect(source.query(`update customers set email = 'plain'`)).rejects.toThrow(refusal(/./))
      const attempt = withRunner((runner) => runner.stream(`update customers set email = 'plain'`))
      await expect(attempt).rejects.toThrow(refusal(/./))
      expect(own.queries).toEqual(['select 1'])
      const seen = source.logger as unknown as OwnLogger
      expect([seen.count(), seen.queries, seen instanceof OwnLogger]).toEqual([1, ['select 1'], true])
    })
  })

  test('parameters that another subscriber changes are read again', async () => {
    const source = sources[0] as DataSource
    const change = {
      beforeQuery({ parameters }: BeforeQueryEvent) {
        if (Array.isArray(parameters)) parameters[0] = 'plain'
      },
    }
    source.subscribers.unshift(change)
    const attempt = source.query('update customers set "birthDate" = $1', [null])
    await expect(attempt).rejects.toThrow(refusal(/birthDate/))
  })

  describe('a driver that does not announce its statements', () => {
    for (const type of ['aurora-mysql', 'aurora-postgres', 'capacitor', 'nativescript', 'mongodb', 'unheard-of']) {
      test(`is refused: ${type}`, () => {
        const source = Object.create(sources[0] as DataSource, { options: { value: { type } } }) as DataSource
        const attempt = () => encryptedEntity(source, Customers, {} as never)
        expect(attempt).toThrow(ConfigError)
        expect(attempt).toThrow(type)
      })
    }
  })

  function withRunner<Result>(use: (runner: QueryRunner) => Promise<Result>): Promise<Result> {
    const runner = (sources[0] as DataSource).createQueryRunner()
    return use(runner).finally(() => runner.release())
  }
}
