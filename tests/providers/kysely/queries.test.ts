import {
  CamelCasePlugin,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
} from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EncryptedTable, matching, strongroomPlugin, updateEach } from '../../../providers/kysely/index.ts'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { openStrongroom } from '../../../src/index.ts'
import { type customers, type orders, records, type SuiteRoom } from '../../adapters/records.ts'
import { refusal } from '../../adapters/refusal.ts'
import { customer } from '../../adapters/samples.ts'

interface Database {
  customers: EncryptedTable<typeof customers, { id: string; orgId: string; status: string }>
  orders: EncryptedTable<typeof orders, { id: number; orgId: string; customerId: string }>
  others: { id: string; customerId: string; name: string }
}

let room: SuiteRoom
let db: Kysely<Database>
// For what the types refuse already.
let loose: Kysely<Record<string, Record<string, unknown>>>

const open = (names?: CamelCasePlugin) =>
  new Kysely<Database>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (of) => new PostgresIntrospector(of),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
    plugins: [strongroomPlugin(room.records, names === undefined ? {} : { names })],
  })

beforeAll(async () => {
  room = await openStrongroom({ name: 'suite', kms: memoryKms(), store: memoryKeyStore(), records }, { init: true })
  await room.unlock([{ tenant: 'acme' }])
  db = open()
  loose = db as never
})
afterAll(() => room.close())

const byName = () => matching(room.records.customers, 'name', 'Ada', { tenant: 'acme' })
const byEmail = () => matching(room.records.customers, 'email', 'ada@acme.example', { tenant: 'acme' })
const refused = (query: { compile(): unknown }, says: RegExp) => {
  expect(() => query.compile()).toThrow(refusal(says))
}

describe('the plugin refuses what would need the database to understand a ciphertext', () => {
  test('in every clause', () => {
    const all = db.selectFrom('customers')
    refused(loose.selectFrom('customers').selectAll().where('name', 'like', 'A%'), /name_index or person_index/)
    refused(loose.selectFrom('customers').selectAll().where('customers.vip', '=', true), /it has no index/)
    refused(all.selectAll().where('birthDate', 'is', null), /person_index/)
    refused(
      all.selectAll().where((eb) => eb.or([eb('nickname', '=', 'x' as never), eb('id', '=', 'x')])),
      /nickname/,
    )
    refused(all.select('orgId').groupBy('name'), /name/)
    refused(
      all.select(({ fn }) => fn.max('visits').as('most')),
      /visits/,
    )
    refused(all.selectAll().orderBy('customers.visits', 'desc'), /sort the rows after they are read/)
    refused(all.select(['id', 'email as e']).orderBy('e'), /sort the rows after they are read/)
    refused(all.select(['id', 'email as status']).orderBy('status', 'desc'), /sort the rows after they are read/)
    refused(all.select(['id', 'email as e']).orderBy(sql`lower(e)`), /sort the rows after they are read/)
    refused(all.select(['id', 'email as e']).having('e' as never, '=', 'x' as never), /email/)
    expect(all.select(['id', 'email as e']).orderBy('customers.status').compile().sql).toContain('order by')
    refused(all.select('id').distinctOn('name'), /name/)
    refused(
      all.select(({ fn }) => fn.jsonAgg('customers').as('all')),
      /whole row/,
    )
    const refer = (of: 'ref' | 'table', name: string) => (eb: unknown) =>
      (eb as Record<'ref' | 'table', (name: string) => { as(alias: string): never }>)[of](name).as('x')
    refused(all.select(refer('ref', 'customers')), /whole row/)
    refused(all.select(refer('table', 'customers')), /whole row/)
    refused(
      all.select((eb) => eb.fn('to_jsonb', [eb.ref('customers' as never)]).as('x')),
      /whole row/,
    )
    refused(
      all.select(({ fn }) => fn.jsonAgg('name' as never).as('all')),
      /random bytes/,
    )
    refused(
      all.select(({ fn }) => fn.toJson('name' as never).as('one')),
      /random bytes/,
    )
    refused(all.select(['name', 'id']).orderBy(sql`1`), /position/)
    refused(
      all.selectAll().orderBy((eb) => eb.lit(1)),
      /position/,
    )
    refused(all.select(['name', 'id']).modifyEnd(sql`order by id, 1 desc`), /position/)
    expect(all.select(['status', 'id']).orderBy(sql`1`).compile().sql).toContain('order by 1')
    refused(
      all.select(({ fn }) => fn.count('name').as('n')),
      /name/,
    )
    refused(all.select(sql<string>`lower(name)`.as('lower')), /SQL text names customers\.name/)
    refused(all.select(sql<string>`lower(${sql.ref('name')})`.as('lower')), /name_index/)
    refused(db.selectFrom('others').innerJoin('customers', 'customers.name', 'others.name').select('others.id'), /name/)
  })

  test('in subqueries, in common table expressions and in writes to other tables', () => {
    refused(
      db.selectFrom('others').select((eb) => ['id', eb.selectFrom('customers').select('customers.name').as('name')]),
      /not decrypted where a subquery takes it/,
    )
    refused(
      db.selectFrom('others').selectAll().where('name', 'in', db.selectFrom('customers').select('customers.name')),
      /name/,
    )
    refused(
      db
        .with('c', (of) => of.selectFrom('customers').selectAll())
        .selectFrom('c')
        .selectAll(),
      /name its columns/,
    )
    refused(db.selectFrom(db.selectFrom('customers').selectAll().as('c')).selectAll(), /name its columns/)
    refused(
      db
        .insertInto('others')
        .columns(['id', 'name'])
        .expression(db.selectFrom('customers').select(['id', 'name'])),
      /name/,
    )
    refused(
      db
        .updateTable('others')
        .from('customers')
        .set((eb) => ({ name: eb.ref('customers.name') })),
      /name/,
    )
    const inserted = (of: Kysely<Database>) => of.insertInto('customers').values(customer('acme', 1)).returning('id')
    refused(
      db
        .with('c', (of) => inserted(of as never))
        .selectFrom('c')
        .selectAll(),
      /inside another query/,
    )
  })

  test('where rows would be merged, counted or cut off before they are filtered', () => {
    const all = db.selectFrom('customers')
    refused(all.select('name').distinct(), /distinct/)
    refused(all.select('name').union(all.select('status as name') as never), /union/)
    refused(all.select(({ fn }) => fn.countAll().as('count')).where(byName()), /counted|counting|count/)
    refused(all.select(['id', sql`count(*) over ()`.as('count')]).where(byName()), /count/)
    refused(all.selectAll().where(byName()).limit(1), /limit/)
    refused(
      all.selectAll().where((eb) => eb.or([byName(), eb('id', '=', 'x')])),
      /under `and`/,
    )
    refused(
      all.selectAll().where((eb) => eb.not(byName())),
      /under `and`/,
    )
    refused(db.deleteFrom('customers').where(byName()), /name_index/)
    refused(db.updateTable('customers').set({ status: 'x' }).where(byName()), /name_index/)
  })

  test('where it is not clear which column is which', () => {
    const joined = db.selectFrom('customers').innerJoin('orders', 'orders.customerId', 'customers.id')
    refused(joined.selectAll(), /selectAll\('customers'\)/)
    refused(
      db.selectFrom('customers as a').innerJoin('customers as b', 'a.id', 'b.id').select(['a.name', 'b.name']),
      /alias/,
    )
    refused(db.selectFrom('customers').selectAll().select('status as email'), /two columns are called email/)
    refused(db.selectFrom('customers').select(['status as email', 'email']), /two columns are called email/)
    refused(db.selectFrom('customers').select(['name', sql`1`.as('name')]), /two columns are called name/)
  })
})

describe('the plugin refuses writes that it cannot encrypt', () => {
  test('of rows', () => {
    const insert = db.insertInto('customers')
    refused(insert.expression(db.selectFrom('others').selectAll() as never), /as values/)
    refused(insert.defaultValues(), /as values/)
    refused(insert.values({ ...customer('acme', 1), name: sql`'plain'` }), /must be a value/)
    refused(insert.values({ ...customer('acme', 1), orgId: sql`current_user` }), /must be a value/)
    refused(insert.values({ ...customer('acme', 1), secret: 'x' } as never), /customers\.secret is not declared/)
    refused(insert.values({ ...customer('acme', 1), email_index: 'x' } as never), /email_index/)
    refused(db.replaceInto('customers').values(customer('acme', 1)), /of any tenant/)
    refused(db.insertInto('customers').ignore().values(customer('acme', 1)), /doNothing/)
    refused(db.mergeInto('customers').using('others', 'others.id', 'customers.id').whenMatched().thenDelete(), /merge/)
  })

  test('of a row that another one is in the way of', () => {
    const insert = db.insertInto('customers').values(customer('acme', 1))
    refused(
      insert.onConflict((on) => on.column('orgId').doUpdateSet({ visits: 1 })),
      /conflict on id/,
    )
    refused(
      insert.onConflict((on) => on.column('id').doUpdateSet({ visits: 1 })),
      /excluded\.visits/,
    )
    refused(
      insert.onConflict((on) => on.constraint('customers_pkey').doUpdateSet({ visits: 1 })),
      /conflict on id/,
    )
    refused(
      insert.onConflict((on) => on.column('id').doUpdateSet({ orgId: 'x' })),
      /orgId/,
    )
    refused(
      insert.onConflict((on) => on.column('id').doUpdateSet((eb) => ({ name: eb.ref('excluded.name') }))),
      /person_index covers name, birthDate/,
    )
    refused(insert.onDuplicateKeyUpdate({ visits: 1 }), /on duplicate key/)
  })

  test('of a change to rows that it does not know', () => {
    const update = db.updateTable('customers').set({ visits: 1 })
    refused(update, /missing: id, orgId/)
    refused(update.where('id', '=', 'x'), /missing: orgId/)
    refused(update.where('id', 'in', ['x']).where('orgId', '=', 'acme'), /missing: id/)
    refused(
      update.where((eb) => eb.or([eb('id', '=', 'x'), eb('id', '=', 'y')])).where('orgId', '=', 'acme'),
      /missing: id/,
    )
    refused(update.where('id', '=', 'x').where('others.orgId' as never, '=', 'acme' as never), /missing: orgId/)
    const computed = db.updateTable('customers').set({ visits: sql`visits + 1` as never })
    refused(computed.where('id', '=', 'x').where('orgId', '=', 'acme'), /must be a value/)
  })

  test('by names that some databases take for the same', () => {
    refused(loose.insertInto('Customers').values({ id: 'x', email: 'plain' }), /may be customers/)
    refused(loose.updateTable('CUSTOMERS').set({ email: 'plain' }), /may be customers/)
    refused(loose.updateTable('customers').set({ Email: 'plain' }), /may be email/)
    refused(loose.selectFrom('customers').select('EMAIL'), /may be email/)
  })

  test('of many rows to nothing', async () => {
    const nothing = updateEach(db, room.records.customers, (eb) => eb.and({ orgId: 'acme' }), {
      visits: undefined as never,
    })
    await expect(nothing).rejects.toThrow(/change something/)
  })

  test('by SQL text in the place of a column', () => {
    const update = db.updateTable('customers').where('id', '=', 'x').where('orgId', '=', 'acme')
    refused(update.set(sql`email` as never, 'plain' as never), /names its columns/)
  })

  test('of other tables by what is encrypted', () => {
    const insert = db.insertInto('others').values({ id: '1', customerId: '1', name: 'x' })
    const name = (eb: { selectFrom(table: 'customers'): { select(column: 'customers.name'): unknown } }) =>
      eb.selectFrom('customers').select('customers.name')
    refused(insert.onDuplicateKeyUpdate({ name: name as never }), /name/)
    refused(
      db
        .insertInto('customers')
        .values(customer('acme', 1))
        .output('inserted.email' as never),
      /email/,
    )
  })

  test('by SQL text, unless it says that it goes without the plugin', async () => {
    await expect(sql`insert into customers values ('x')`.execute(db)).rejects.toThrow(/decryptRows/)
    await expect(sql`select * from ${sql.table('customers')}`.execute(db)).rejects.toThrow(/decryptRows/)
    await sql`select 1`.execute(db)
    await sql`select * from customers`.execute(db.withoutPlugins())
  })

  test('by SQL text inside a query that is none', () => {
    refused(
      db
        .with('x', () => sql`update customers set email = 'plain' returning id` as never)
        .selectFrom('others')
        .selectAll(),
      /decryptRows/,
    )
    refused(db.selectFrom(sql`customers`.as('c') as never).selectAll(), /decryptRows/)
    refused(db.selectFrom(sql`${sql.id('public', 'customers')}`.as('c') as never).selectAll(), /decryptRows/)
    refused(db.selectFrom('others').select(sql`(select max(id) from customers)`.as('id')), /decryptRows/)
    const all = db.selectFrom('customers as c')
    for (const text of [
      sql`to_jsonb(c)`,
      sql`c.*`,
      sql`"c" . *`,
      sql`(c).email_index`,
      sql`to_jsonb(${sql.table('c')})`,
      sql`${sql.id('c')}`,
      sql`${sql.ref('c')}`,
      sql`c./**/*`,
    ]) {
      refused(all.select(text.as('x')), /decryptRows/)
    }
    refused(all.select('c.id').modifyFront(sql`*,`), /decryptRows/)
    refused(db.updateTable('customers').set({ status: 'x' }).modifyEnd(sql`returning *`), /decryptRows/)
    expect(all.select(sql`count(*)`.as('n')).compile().sql).toContain('count(*)')
    refused(all.select(sql`lower(${sql.id('c', 'email')})`.as('x')), /SQL text names customers\.email/)
    refused(db.selectFrom('customers').select(sql`to_jsonb(customers)`.as('x')), /decryptRows/)
    expect(all.select(sql`upper(c.status) || ${'customers'}`.as('x')).compile().sql).toContain('upper(c.status)')
    expect(db.selectFrom('customers').select(sql`customers.status`.as('x')).compile().sql).toContain('customers.status')
  })
})

describe('the plugin lets through', () => {
  test('what needs no ciphertext to be understood', () => {
    const all = db.selectFrom('customers')
    expect(
      all
        .select(({ fn }) => fn.countAll().as('count'))
        .where(byEmail())
        .compile().sql,
    ).toMatch(/"email_index" in \(\$1\)/)
    expect(all.select('id').where('nickname', 'is', null).compile().sql).toContain('"nickname" is null')
    expect(db.deleteFrom('customers').where(byEmail()).compile().parameters).toHaveLength(1)
    const withCustomer = db
      .selectFrom('others')
      .selectAll('others')
      .where((eb) => {
        return eb.exists(
          eb.selectFrom('customers').select('customers.id').whereRef('customers.id', '=', 'others.customerId'),
        )
      })
    expect(withCustomer.compile().sql).toContain('exists')
    expect(db.selectFrom('others').selectAll().where('name', '=', 'x').orderBy('name').compile().sql).toContain(
      'order by',
    )
    expect(db.updateTable('customers').set({ status: 'x' }).where('status', '=', 'y').compile().parameters).toEqual([
      'x',
      'y',
    ])
  })

  test('values that look like parts of a query', () => {
    const notes = [{ kind: 'RawNode', sqlFragments: ['x'] }] as never
    const { parameters } = db
      .insertInto('customers')
      .values(customer('acme', 1, { notes }))
      .compile()
    expect(parameters.some((value) => JSON.stringify(value)?.includes('RawNode'))).toBe(false)
  })

  test('an upsert, which is held to the tenant of the row in its way', () => {
    const { sql: text } = db
      .insertInto('customers')
      .values(customer('acme', 1))
      .onConflict((on) => on.column('id').doUpdateSet((eb) => ({ email: eb.ref('excluded.email') })))
      .compile()
    expect(text).toMatch(
      /do update set "email" = "excluded"\."email", "email_index" = "excluded"\."email_index" where "customers"\."orgId" = "excluded"\."orgId"$/,
    )
  })

  test('names that another plugin changes, when it is told of that plugin', () => {
    const query = open(new CamelCasePlugin()).selectFrom('customers').select('birthDate').compile()
    expect(query.sql).toBe('select "birth_date", "id" as "srhiddena", "org_id" as "srhiddenb" from "customers"')
  })
})
