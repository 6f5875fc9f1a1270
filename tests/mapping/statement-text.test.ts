import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defineRecord, text } from '../../src/index.ts'
import { assertLegibleNames } from '../../src/mapping/legible-names.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { assertReadable, type NamedTable } from '../../src/mapping/query-text.ts'
import type { Backslash } from '../../src/mapping/sql-text.ts'
import { assertStatement } from '../../src/mapping/statement-text.ts'
import { assertWrites } from '../../src/mapping/write-text.ts'
import { withoutStacks } from '../without-stacks.ts'

const schema = defineRecord(
  'people',
  {
    email: text({ index: { column: 'email_index', transform: 'email', unique: true } }),
    nick: text({ nullable: 'visible' }),
  },
  { id: 'id', plain: ['role'] },
)
const columns = ['id', 'email', 'email_index', 'nick', 'role']
const named = (backslash?: Backslash): NamedTable => ({
  record: new MappedRecord({ schema } as unknown as AnyCipher),
  table: 'people',
  columns: new Map(columns.map((name) => [name, name])),
  ...(backslash === undefined ? {} : { backslash }),
})

const sealedBytes = Buffer.concat([Buffer.of(0xf9), Buffer.alloc(57, 7)])
const SEALED = `sr1_${sealedBytes.toString('base64url')}`
const TAG = `01${'0a'.repeat(16)}`
const good = ["'p1'", `'${SEALED}'`, `'${TAG}'`, `'${SEALED}'`, "'it''s (a), b'"]
const VALUES = [
  '$1',
  '$2',
  '$3',
  '?',
  'null',
  'DEFAULT',
  'true',
  '-1.5',
  "x'f9aa'",
  `x'${sealedBytes.toString('hex')}'`,
  `'${SEALED}'::text`,
  '$2::text',
]
const ODDITIES = [
  '"email"',
  "E'\\\\xf9aa'",
  "'\\\\'",
  "'a\\'",
  "''",
  "'''",
  "'--'",
  '--',
  '/*',
  "'/*'",
  '$$',
  '#',
  '(1)',
  ')',
  ',',
]
const insert = (rows: readonly (readonly string[])[], behind = '') =>
  `insert into "people" ("id", "email", "email_index", "nick", "role") values ${rows.map((row) => `(${row.join(', ')})`).join(', ')}${behind}`
const manyWith = (...last: readonly (readonly string[])[]) =>
  insert([...Array.from({ length: 20 }, () => good), ...last])

/** Whether a statement is refused: by what reads it short, and by what reads all of it. */
function verdicts(
  sql: string,
  parameters: readonly unknown[],
  backslash?: Backslash,
): [short: boolean, whole: boolean] {
  const of = named(backslash)
  const isRefused = (read: () => void) => {
    try {
      read()
      return false
    } catch {
      return true
    }
  }
  return [
    isRefused(() => assertStatement(sql, parameters, of)),
    isRefused(() => {
      assertReadable(sql, of)
      assertWrites(sql, parameters, of)
    }),
  ]
}

describe('an insert of many rows', () => {
  withoutStacks()

  test('passes when every value is a ciphertext, a tag, or in a plain column', () => {
    expect(() => assertStatement(manyWith(), [], named())).not.toThrow()
    expect(() => assertStatement(`${manyWith()} returning "id", "email";`, [], named())).not.toThrow()
  })

  test.each<[string, string, number]>([
    ['plaintext', "'ada@example.com'", 1],
    ['an expression', "lower('ada@example.com')", 1],
    ['a number', '17', 1],
    ['null where null is encrypted', 'null', 1],
    ['a subquery', '(select "email" from "people" limit 1)', 4],
    ['an encrypted column for a plain one', '"email"', 4],
    ['a tag by hand', "'nobody'", 2],
    ['a ciphertext with more behind it', `'${SEALED}' || 'x'`, 1],
    ['a parameter that is none', '$99', 1],
    ['two literals that are one', `'${SEALED}'\n'x'`, 1],
    ['text with a comment', "'a' /* 'b' */", 1],
  ])('is refused for %s in its last row', (_, value, at) => {
    const row = good.map((own, index) => (index === at ? value : own))
    expect(() => assertStatement(manyWith(row), [], named())).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_INPUT' }),
    )
  })

  test.each<[string, string]>([
    ['a second statement', `; insert into people (id, email) values ('p1', 'ada@example.com')`],
    ['a change on conflict', ` on conflict ("id") do update set "email" = 'ada@example.com'`],
    ['rows of a select behind them', ` union select 'a', 'b', 'c', 'd', 'e'`],
  ])('is refused for %s', (_, behind) => {
    expect(() => assertStatement(`${manyWith()}${behind}`, [], named())).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_INPUT' }),
    )
  })

  test('is refused when a row has fewer values, or a column nobody declared', () => {
    expect(() => assertStatement(manyWith(good.slice(1)), [], named())).toThrow()
    const other = manyWith().replace('"role"', '"secret"')
    expect(() => assertStatement(other, [], named())).toThrow(/secret/)
  })

  test('takes values from the parameters they stand for', () => {
    const numbered = (at: number) => columns.map((_, nth) => `$${at * 5 + nth + 1}`)
    const values = (at: number, email: string) => [`p${at}`, email, TAG, null, 'x']
    const sql = insert(Array.from({ length: 12 }, (_, at) => numbered(at)))
    const marks = sql.replaceAll(/\$\d+/g, '?')
    const all = Array.from({ length: 12 }, (_, at) => values(at, SEALED))
    const one = all.with(11, values(11, 'ada@example.com'))
    for (const of of [sql, marks]) {
      expect(() => assertStatement(of, all.flat(), named())).not.toThrow()
      expect(() => assertStatement(of, one.flat(), named())).toThrow(/email/)
    }
    expect(() =>
      assertStatement(`${marks} on duplicate key update role = ?`, [...all.flat(), 'y'], named()),
    ).not.toThrow()
  })

  test('is judged as the whole text is, whatever stands in it', () => {
    const odd = fc.oneof(fc.constantFrom(...VALUES, ...ODDITIES), fc.string({ maxLength: 4 }))
    const row = fc
      .tuple(fc.integer({ min: -2, max: 4 }), odd)
      .map(([at, value]) => (at < 0 ? good : good.with(at, value)))
    const rows = fc.array(row, { minLength: 1, maxLength: 4 })
    const behind = fc.constantFrom(
      '',
      ';',
      ' returning "email"',
      ' on conflict do nothing',
      ' on conflict (id) do update set role = ?',
      ' x',
    )
    const backslash = fc.constantFrom(undefined, 'character' as const, 'escape' as const)
    const seen = { refused: 0, passed: 0 }
    fc.assert(
      fc.property(rows, behind, backslash, fc.boolean(), (list, end, known, isGood) => {
        const sql = insert(isGood ? [good, ...list, good] : list, end)
        const [short, whole] = verdicts(sql, ['p1', SEALED, TAG, 'x', 'y'], known)
        expect(short).toBe(whole)
        seen[short ? 'refused' : 'passed']++
      }),
      { numRuns: 3_000 },
    )
    expect(Math.min(seen.refused, seen.passed)).toBeGreaterThan(300)
  })
})

describe('a value that begins like a ciphertext', () => {
  const update = (column: string) => `update people set "${column}" = $1 where id = $2`
  const refusal = (name: string) =>
    expect.objectContaining({ code: 'ERR_INVALID_INPUT', message: expect.stringContaining(name) })
  const run = (column: string, value: unknown) => () => assertStatement(update(column), [value, 'p1'], named())

  test.each<[string, unknown]>([
    ['text behind the prefix', 'sr1_ and then what nobody should read in the table'],
    ['the prefix alone', 'sr1_'],
    ['letters of base64url alone', `sr1_${'ada'.repeat(40)}`],
    ['a short one', SEALED.slice(0, 60)],
    ['one with more behind it', `${SEALED} ada@example.com`],
    ['bytes that are too few', sealedBytes.subarray(0, 57)],
    ['bytes with another first one', Buffer.alloc(90)],
  ])('is refused when it is %s', (_, value) => {
    expect(run('email', value)).toThrow(refusal('email'))
    if (typeof value !== 'string') return
    const literal = `update people set email = '${value}' where id = 'p1'`
    expect(() => assertStatement(literal, [], named())).toThrow(refusal('email'))
    expect(() => assertStatement(manyWith(good.with(1, `'${value}'`)), [], named())).toThrow(refusal('email'))
  })

  test.each(["'\\xf9aa'", "x'f9aa'", "E'\\\\xf9aa'"])('is refused as bytes that are written %s', (literal) => {
    const sql = `update people set email = ${literal} where id = 'p1'`
    expect(() => assertStatement(sql, [], named('character'))).toThrow(refusal('email'))
  })

  test('passes when it has the form of one', () => {
    const hex = sealedBytes.toString('hex')
    for (const value of [SEALED, sealedBytes]) expect(run('email', value)).not.toThrow()
    for (const literal of [`'${SEALED}'`, `x'${hex}'`, `'\\x${hex}'`]) {
      expect(() => assertStatement(`update people set email = ${literal}`, [], named('character'))).not.toThrow()
    }
  })

  test.each<[string, unknown]>([
    ['a number of digits', '123456789'],
    ['a short tag', '0a1b2c3d'],
    ['a long one', `${TAG}0a`],
    ['one of no key', TAG.replace(/^01/, '00')],
    ['bytes of another length', Buffer.from(TAG, 'hex').subarray(1)],
    ['bytes of text', Buffer.from('ada@example.com')],
  ])('is no tag of the index when it is %s', (_, value) => {
    expect(run('email_index', value)).toThrow(refusal('email_index'))
  })

  test('is a tag when it has the form of one', () => {
    for (const value of [TAG, Buffer.from(TAG, 'hex'), null]) expect(run('email_index', value)).not.toThrow()
  })
})

describe('an insert of your own', () => {
  test('is refused without a field, of which the database would make null or a default in plaintext', () => {
    const without = `insert into people (id, email_index, nick, role) values ('p1', null, null, 'x')`
    expect(() => assertStatement(without, [], named())).toThrow(/people.email is missing/)
    expect(() => assertStatement(`${without} on conflict (id) do nothing`, [], named())).toThrow(/email is missing/)
  })

  test('may leave out a field whose null is visible, and index columns', () => {
    const short = `insert into people (id, email) values ('p1', '${SEALED}')`
    expect(() => assertStatement(short, [], named())).not.toThrow()
  })
})

describe('an update from another table', () => {
  const run = (sql: string) => () => assertStatement(sql, [], { ...named(), unquoted: true })

  test.each([
    'update people set role = o.email from others o where o.id = people.id',
    'update "people" set "role" = "o"."email" from "others" "o" where "o"."id" = "people"."id"',
    `update people p set role = lower(o."email") || 'x' from more, others o where o.nick = more.nick and o.id = p.id`,
  ])('may read a column of it that is called like an encrypted one: %s', (sql) => {
    expect(run(sql)).not.toThrow()
  })

  test.each([
    'update people set role = people.email from others o where o.id = people.id',
    'update people p set role = p.email from others o where o.id = p.id',
    'update people set role = email from others o where o.id = people.id',
    'update people set role = "EMAIL" from others o where o.id = people.id',
    'update people set role = b.email from people b where b.id = people.id',
    'update people set role = k.email from others o, (select * from people) k where k.id = people.id',
    'with k as (select * from people) update people set role = k.email from k where k.id = people.id',
    'update people set role = (select email from people b limit 1) from others o where o.id = people.id',
    'update people set email = o.email from others o where o.id = people.id',
    'update people p set role = P.email from others "P" where p.id = $1',
  ])('must not read an encrypted column of its own: %s', (sql) => {
    expect(run(sql)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_INPUT', message: expect.stringMatching(/email/) }),
    )
  })
})

describe('a table that is named in single quotes, as SQLite takes it,', () => {
  test.each([
    `update 'people' set email = 'plain'`,
    `update or ignore main.'people' set role = 'x'`,
    `insert into 'people' (email) values ('plain')`,
    `insert or replace into main . 'people' (email) values ('plain')`,
    `replace into 'people' (email) values ('plain')`,
    `insert into 'people' select 'plain'`,
  ])('is not written: %s', (sql) => {
    expect(() => assertStatement(sql, [], named())).toThrow(expect.objectContaining({ code: 'ERR_INVALID_INPUT' }))
  })

  test('is another thing in a value', () => {
    for (const sql of [
      `insert into logs (a) values ('people')`,
      `update logs set a = 'people'`,
      `update logs l set a = (select 'people') where l.b = 'people'`,
    ]) {
      expect(() => assertStatement(sql, [], named())).not.toThrow()
    }
  })
})

describe('a name that cannot be read', () => {
  test.each([
    'update people set U&"em\\0061il" = $1',
    'update u&"p\\0065ople" set email = $1',
    `select * from people where U&"em!0061il" UESCAPE '!' = $1`,
    `select * from people where people.'email' = $1`,
    `do $$ begin update U&"p\\0065ople" set email = 'plain'; end $$`,
  ])('is refused: %s', (sql) => {
    expect(() => assertLegibleNames(sql)).toThrow(/write the name as it is/)
  })

  test.each([
    `update people set role = 'U&"x'`,
    `select U&'\\0061' from people`,
    `select "menu&" from people where role = 'Mr.''x'' . ''y'`,
    `select * from people where role = 'a.' 'b'`,
    `do $$ begin perform 'a.' || 'b.'; end $$`,
  ])('is none: %s', (sql) => {
    expect(() => assertLegibleNames(sql)).not.toThrow()
  })
})
