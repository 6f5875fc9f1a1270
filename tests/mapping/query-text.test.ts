import { describe, expect, test } from 'vitest'
import { defineRecord, text } from '../../src/index.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { assertFilterable, assertNotCalculated, assertReadable, type NamedTable } from '../../src/mapping/query-text.ts'
import { refusal } from '../adapters/refusal.ts'

const schema = defineRecord(
  'people',
  {
    name: text({ index: { column: 'name_index', transform: 'casefold', rows: 100 } }),
    nick: text({ nullable: 'visible' }),
  },
  { id: 'id', plain: ['role', 'bossId'] },
)
const record = new MappedRecord({ schema } as unknown as AnyCipher)
const named: NamedTable = {
  record,
  table: 'people',
  columns: new Map(['id', 'name', 'name_index', 'nick', 'role', 'bossId'].map((name) => [name, name])),
  unquoted: true,
}

describe('a query is refused', () => {
  test.each<[string, RegExp]>([
    ['with c as (select "id", "name" from "people") select "id" from c order by "c"."name"', /order by it/],
    ['with "c" as (select "id", "name" from "people") select "id" from "c" where "name" like \'x%\'', /name_index/],
    ['with a as (select * from people), b as materialized (select * from a) select id from b order by b.name', /order/],
    [
      'with recursive c (id, name) as (select id, name from people) select 1 from c as k where k.name = $1',
      /name_index/,
    ],
    ['select id from (select id, name from people) k where k.name = $1', /name_index/],
    ['select "name" as "nm" from "people" order by "nm"', /order by it/],
    ['select name as nm from people order by lower(nm) desc', /order by it/],
    ['select k.n from (select "name" as "n" from "people") k where k.n = $1', /name_index/],
    ['select id, name from people order by 2', /position/],
    ['select id, name from people order by role, 2 desc limit 5', /position/],
    ['select * from people order by 1', /position/],
    ['select p.* from people p group by 1', /position/],
    ['select name, count(*) from people group by 1', /position/],
    ['select id from people where name = $1', /name_index/],
    ['select id from people order by name', /order by it/],
    ['select id from people where "NAME" = $1', /name_index/],
    ['select id from people where [name] = $1', /name_index/],
    ['select id from others where role in (select name from people)', /name_index/],
    ['select id from others where role = any (select lower(p."name") from people p)', /name_index/],
    ['select id from others where (id, role) not in (select id, name from people where role = $1)', /name_index/],
    ['select id from others where role in (select role from others union all select name from people)', /name_index/],
    ['select id from others where (select name from people limit 1) like $1', /name_index/],
    ['select id from others where $1 = coalesce((select name from people limit 1), $2)', /name_index/],
    ['select * from people natural join others', /natural join/],
    ['update others set role = $1 from people natural left outer join more', /natural join/],
    ['update people set role = o.role from others o where people.name = o.name', /name_index/],
    ['update people p set role = $1 from others o where p."name" = $2 and o.id = p.id', /name_index/],
    ['update people set role = $1 from others o, people b where b.name = $2 and o.id = b.id', /name_index/],
    ['update people set role = $1 from others o, (select name from people) k where k.name = $2', /name_index/],
    ['delete from people using others o, lateral (select o.id, name from people) k where k.name = $1', /name_index/],
    ['delete from people using others o where name = o.role', /name_index/],
    ['delete from people p using others "P" where P.name = $1', /name_index/],
    ['with k as (select * from people) delete from people using k where k.name = $1', /name_index/],
    ['select k.id from (select id, name from people) k where k.name = $1 for update of k', /name_index/],
    ['select k.id from (select id, name from people) k where id is distinct from k and k.name = $1', /name_index/],
    ['select k.id from (select id, name from people) k where trim(both from k) = $2 and k.name = $1', /name_index/],
  ])('%s', (sql, says) => {
    expect(() => assertReadable(sql, named)).toThrow(refusal(says))
  })

  test.each<[string, RegExp]>([
    ['select json_agg("name") from "people"', /random bytes/],
    ['select coalesce(p.name, $1) from people p', /random bytes/],
    ['select array(select name from people)', /random bytes/],
    ['select row_to_json(people) from people', /whole row/],
    ['select to_jsonb("p") from "people" "p"', /whole row/],
    ['select json_build_object($1, p) from people as p', /whole row/],
    ['select json_agg(p.*) from people p', /whole row/],
    ['with c as (select * from people) select json_agg(c) from c', /whole row/],
  ])('that calculates: %s', (sql, says) => {
    expect(() => assertNotCalculated(sql, named)).toThrow(refusal(says))
  })

  test.each<[string, RegExp]>([
    ['select * from "people" where ("name_index" in ($1) or "id" = $2)', /under `and`/],
    ['select * from "people" where not "role" = $1 and not ("people"."name_index" in ($2))', /under `and`/],
    ['select * from "people" where "role" = $2 or ("role" = $1 and "name_index" in ($1))', /under `and`/],
    ['select * from "people" where "name_index" in ($1) limit 1', /limit/],
  ])('that searches an index that others share: %s', (sql, says) => {
    expect(() => assertFilterable(sql, record, 'name_index')).toThrow(refusal(says))
  })
})

describe('a query passes', () => {
  test.each([
    'with c as (select id, name from others o where o.name = $1) select p.name from people p join c on c.id = p.id order by c.name',
    'select role, count(*) from people group by 1 order by 2',
    'select "p"."name" as "p_name", "p"."id" as "p_id" from "people" "p" order by "p"."id", "p"."role" limit 5',
    'select name as role2 from people where role = $1 order by id',
    'select id, name from people where nick is null and role = $1 order by id',
    'select cast(role as name) from people where id = $1',
    'select id from people where id in (select "bossId" from people where nick is not null)',
    'update people set role = $1 where id = $2',
    'select "Name"."id" from "people" as "Name" order by "Name"."id"',
    'select id from others where exists (select name from people where role = $1) is true',
    'select * from (select id, name from people union all (select id, name from people)) k where k.id = $1',
    'select id, (select name from people where id = o.id) as n from others o where o.role in ($1)',
    'select id from others where id in (select id from (select id, name from people) k, more)',
    `select id from people where role = 'natural join'`,
    'update "people" set "role" = $1 from "others" "o" where "o"."name" = $2 and "o"."id" = "people"."id"',
    'update people set role = $1 from others o where o."name" = $2 and o.id = people.id',
    'update people set role = $1 from more m, others as o where o.name = $2 and m.name = o.name and o.id = people.id',
    'delete from people using others o where o.name = $1 and o.id = people.id',
    'delete from people p using app.others o, more where more.name = $1 and o."name" = $2 and o.id = p.id',
    'select p.id from people p, others o where o.name = $1 and o.id = p.id',
  ])('%s', (sql) => {
    expect(() => assertReadable(sql, named)).not.toThrow()
    expect(() => assertNotCalculated(sql, named)).not.toThrow()
  })

  test.each([
    'select count(*), count(name) from people',
    'select id from people where exists (select 1 from people p where p.nick is null)',
    'select id from orders where "customerId" in (select id from people)',
    'select lower(role), upper(o.name) from people join others o on o.id = people.id',
    'select p.name from people p, lateral (select name from people where id = p."bossId") b',
  ])('that calculates nothing with a ciphertext: %s', (sql) => {
    expect(() => assertNotCalculated(sql, named)).not.toThrow()
  })

  test.each([
    'select * from "people" where ("role" = $1 or "role" = $2) and "name_index" in ($3) for update',
    'select * from "people" where (("role" = $1) and ("name_index" in ($3)))',
    'select * from "people" where not ("role" = $1) and "name_index" in ($3)',
    'select case when "role" = $1 or "id" = $2 then 1 end, "name" from "people" where "name_index" in ($3)',
  ])('that searches an index that others share: %s', (sql) => {
    expect(() => assertFilterable(sql, record, 'name_index')).not.toThrow()
  })
})
