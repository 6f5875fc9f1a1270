import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prismaRelations, prismaRow, prismaTables, strongroomPrisma } from '../../../providers/prisma/index.ts'
import { parsePrismaSchema } from '../../../src/prisma-schema.ts'
import { prismaSchema } from './clients.ts'
import { members, openMembers, secrets } from './members.ts'

describe('the relations of a Prisma schema', () => {
  test('are read with the columns that they fill, on both sides', () => {
    const { Customer, Order, Tag, Member, Secret } = prismaRelations(prismaSchema)
    expect(Customer).toEqual({ orders: { model: 'Order', there: { customerId: 'id' } }, tags: { model: 'Tag' } })
    expect(Order).toEqual({ customer: { model: 'Customer', here: { customerId: 'id' } } })
    expect(Tag).toEqual({ customers: { model: 'Customer' } })
    expect(Member).toEqual({
      invitedBy: { model: 'Member', here: { invitedById: 'id' } },
      invited: { model: 'Member', there: { invitedById: 'id' } },
      secrets: { model: 'Secret', there: { memberId: 'id' } },
    })
    expect(Secret).toEqual({ member: { model: 'Member', here: { memberId: 'id' } } })
  })

  test('are told apart by name where there are several, and read with several columns', () => {
    const relations = prismaRelations(`
      model A { // a comment
        id Int
        org String /// "//" is no comment in "@default("//")"
        made B[] @relation("made")
        read B[] @relation(name: "read")
        @@id([org, id])
      }
      enum Kind {
        model
      }
      model B {
        text String @default("// { model C")
        maker A @relation("made", fields: [org, makerId], references: [org, id])
        reader A? @relation(fields: [org, readerId], references: [org, id], name: "read")
      }`)
    expect(relations).toEqual({
      A: {
        made: { model: 'B', there: { org: 'org', makerId: 'id' } },
        read: { model: 'B', there: { org: 'org', readerId: 'id' } },
      },
      B: {
        maker: { model: 'A', here: { org: 'org', makerId: 'id' } },
        reader: { model: 'A', here: { org: 'org', readerId: 'id' } },
      },
    })
  })

  test('stand beside what models and columns are called in the database', () => {
    const tables = prismaTables(`
      model User {
        id Int @id
        email String @map("email_address")
        posts Post[]
        @@map("app_users")
      }
      model Post {
        id Int @id
        userId Int @map(name: "user_id")
        user User @relation(fields: [userId], references: [id])
      }`)
    expect(tables).toEqual({
      User: { table: 'app_users', columns: { id: 'id', email: 'email_address' } },
      Post: { table: 'Post', columns: { id: 'id', userId: 'user_id' } },
    })
    expect(prismaTables(prismaSchema).Customer?.table).toBe('customers')
  })

  test('come with the comments of the fields', () => {
    const [user] = parsePrismaSchema(
      'model User {\n  /// above\n  email String? @map("mail") /// @encrypted\n  id Int @id\n}\r\n',
    )
    expect(user?.fields).toEqual([
      {
        name: 'email',
        type: 'String',
        list: false,
        optional: true,
        attributes: '@map("mail")',
        documentation: 'above\n@encrypted',
      },
      { name: 'id', type: 'Int', list: false, optional: false, attributes: '@id', documentation: '' },
    ])
  })
})

describe('strongroomPrisma', () => {
  let room: Awaited<ReturnType<typeof openMembers>>
  beforeAll(async () => {
    room = await openMembers()
  })
  afterAll(() => room.close())

  const text = { typeName: 'String', isList: false }
  const columns = { id: text, email: text, email_index: text, phone: text, phone_last4: text, role: text }
  const client = (fields: object) => ({ member: { fields }, $extends: () => expect.unreachable() })
  const apply = (fields: object, options: object = {}) =>
    strongroomPrisma(room, { models: { Member: members }, ...options })(client(fields))

  test.each<[string, () => unknown, RegExp]>([
    ['a column is missing', () => apply({ ...columns, email_index: undefined }), /email_index/],
    [
      'a column cannot hold ciphertexts',
      () => apply({ ...columns, email: { typeName: 'Int', isList: false } }),
      /email must be String/,
    ],
    ['a column is a list', () => apply({ ...columns, email: { ...text, isList: true } }), /email must be String/],
    ['an id is missing', () => apply({ ...columns, id: undefined }), /no column id/],
    [
      'there is no such model',
      () => strongroomPrisma(room, { models: { Nobody: members } })(client(columns)),
      /no model Nobody/,
    ],
    [
      'a relation leads nowhere',
      () => apply(columns, { relations: { Member: { posts: { model: 'Post' } } } }),
      /no model Post/,
    ],
    [
      'a relation is a column',
      () => apply(columns, { relations: { Member: { role: { model: 'Member' } } } }),
      /role is a column/,
    ],
    [
      'the record is not of this Strongroom',
      () => strongroomPrisma({ records: {} }, { models: { Member: members } })(client(columns)),
      /not one of `records`/,
    ],
    ['ids are for a model without a record', () => apply(columns, { ids: { Other: () => 'x' } }), /ids names Other/],
    ['tables are of another schema', () => apply(columns, { tables: {} }), /tables` has no model Member/],
    [
      'tables are of an older schema',
      () => apply(columns, { tables: { Member: { table: 'members', columns: { id: 'id' } } } }),
      /has no Member\.email/,
    ],
    ['no model is named', () => strongroomPrisma(room, { models: {} }), /models is empty/],
  ])('says so when %s', (_, attempt, says) => {
    expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringMatching(says) }))
  })

  test('refuses a tenant that is no function', () => {
    expect(() => apply(columns, { tenant: 'acme' })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_INPUT' }))
  })

  test('refuses an operation that it does not know, on every model and without one', async () => {
    type Hook = (call: object) => unknown
    let hook: Hook = () => expect.unreachable()
    const own = Object.fromEntries(Object.keys(columns).map((name) => [name, name]))
    const capturing = {
      ...client(columns),
      secret: { fields: { id: text } },
      $extends: ({ query }: { query?: { $allOperations: Hook } }) => {
        if (query !== undefined) hook = query.$allOperations
        return { ...capturing } // Prisma gives another client, and leaves this one as it is
      },
    }
    strongroomPrisma(room, { models: { Member: members } })(capturing)
    for (const model of ['Member', 'Secret', undefined]) {
      const call = { model, operation: 'findRaw', args: {}, query: () => expect.unreachable() }
      await expect(hook(call)).rejects.toThrow(/findRaw is not known/)
    }
    // What Prisma checks strictly, as a preview, it must get to see.
    let seen: unknown
    const where = { email: undefined, role: undefined, OR: [{ phone: undefined }], AND: { id: 'm1', OR: undefined } }
    const deleting = (args: unknown) => {
      seen = args
      return { count: 0 }
    }
    await hook({ model: 'Member', operation: 'deleteMany', args: { where }, query: deleting })
    expect(seen).toStrictEqual({
      where: {
        AND: [{ email: undefined }, { role: undefined }, { OR: [{ phone: undefined }] }, { id: 'm1', OR: undefined }],
      },
    })
    // TypedSQL, which clients have only as a preview.
    strongroomPrisma(room, { models: { Member: members }, tables: { Member: { table: 'members', columns: own } } })(
      capturing,
    )
    const typed = (sql: string) => ({ operation: '$queryRawTyped', args: { sql, values: ['x'] }, query: () => 'ran' })
    await expect(hook(typed('update members set email = $1'))).rejects.toThrow(/members.email takes only/)
    expect(await hook(typed('select id from members where role = $1'))).toBe('ran')
  })
})

test('prismaRow gives back what it was given', () => {
  const row = { body: { title: 'a' }, memberId: 'm1' }
  expect(prismaRow(secrets, row)).toBe(row)
})
