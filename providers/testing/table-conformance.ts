import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { InvalidInputError, JobBusyError, JobLostError } from '../../src/errors.ts'
import { type JobProgress, NO_PROGRESS } from '../../src/job.ts'
import type { RowKey } from '../../src/row-key.ts'
import type { RowChange, TableRow } from '../../src/table.ts'
import { type ConformanceCase, casesOf } from './conformance-case.ts'
import { changePromises } from './table-changes.ts'
import { row, type TableHarness, type TablePromises } from './table-harness.ts'

/**
 * Every promise of the `Table` contract, for any test runner.
 *
 * @param make called before each case for an empty table without jobs; its `close` is called after
 */
export function tableConformance(make: () => Promise<TableHarness>): ConformanceCase[] {
  return casesOf(make, { ...readPromises, ...writePromises, ...countPromises, ...changePromises, ...jobPromises })
}

const many = (count: number) =>
  Array.from({ length: count }, (_, at) => row((at % 3) * 10, `id ${String(at).padStart(5, '0')}`))
const COLUMNS = ['note', 'raw'] as const
const STALE_MS = 60_000

const readPromises: TablePromises = {
  'describes its primary key, its columns and what they hold': async ({ table }) => {
    const { primaryKey, columns } = await table.describe()
    deepEqual(primaryKey, ['tenant', 'id'])
    const kinds = Object.fromEntries(columns.map(({ name, holds, nullable }) => [name, [holds, nullable]]))
    deepEqual(kinds.note, ['text', true])
    deepEqual(kinds.raw, ['bytes', true])
    deepEqual(kinds.born?.[0], 'other')
    equal(kinds.id?.[1], false)
  },
  'pages through every row once, in the order of a key of two columns': async ({ table, insert, rows }) => {
    await insert(many(25))
    const seen: RowKey[] = []
    for (let after: RowKey | undefined; ; after = seen.at(-1)) {
      const page = await table.page({ columns: COLUMNS, limit: 4, ...(after && { after }) })
      seen.push(...page.map(({ key }) => key))
      if (page.length === 0) break
    }
    deepEqual(
      seen,
      (await rows()).map(({ tenant, id }) => [String(tenant), id]),
    )
  },
  'compares numbers in a key as numbers': async ({ table, insert }) => {
    await insert([row(9, 'a'), row(10, 'a'), row(100, 'a')])
    const page = await table.page({ columns: COLUMNS, limit: 10, after: ['9', 'a'] })
    deepEqual(
      page.map(({ key }) => key[0]),
      ['10', '100'],
    )
  },
  'leaves out no row that holds what is asked for, a UUID in capitals included': async ({ table, insert }) => {
    const id = 'aaaaaaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee'
    await insert([row(1, id), row(1, id.toUpperCase()), row(2, id), row(2, 'x')])
    const found = async (equals: Record<string, string>) =>
      (await table.page({ columns: COLUMNS, equals, limit: 10 })).map(({ key }) => key.join(' '))
    const both = await found({ id })
    for (const key of [`1 ${id}`, `1 ${id.toUpperCase()}`, `2 ${id}`]) ok(both.includes(key), key)
    ok((await found({ tenant: '2', id: 'x' })).includes('2 x'))
  },
  'ends a page at `until`, which belongs to it': async ({ table, insert }) => {
    await insert([row(1, 'a'), row(1, 'b'), row(2, 'a')])
    const page = await table.page({ columns: COLUMNS, limit: 10, after: ['1', 'a'], until: ['1', 'b'] })
    deepEqual(
      page.map(({ key }) => key),
      [['1', 'b']],
    )
  },
  'returns text, bytes and null as they are, and any column as text': async ({ table, insert }) => {
    const odd = `ü 𝄞 ' " \\ % \n`
    await insert([row(1, odd, odd), row(2, 'empty', null)])
    const page = await table.page({ columns: COLUMNS, texts: ['born'], limit: 10 })
    equal(page[0]?.key[1], odd)
    equal(page[0]?.values.note, odd)
    deepEqual(Buffer.from(page[0]?.values.raw as Uint8Array), Buffer.from([0, 255, 1]))
    equal(page[0]?.values.born, '2001-02-28')
    equal(page[1]?.values.note, null)
    equal(page[1]?.values.raw, null)
  },
  'tells keys apart that differ in case, accents or spaces at the end': async ({ table, insert }) => {
    const ids = ['a', 'A', 'á', 'a ']
    await insert(ids.map((id) => row(1, id)))
    const page = await table.page({ columns: COLUMNS, limit: 10 })
    deepEqual(new Set(page.map(({ key }) => key[1])), new Set(ids))
    const change = (id: string): RowChange => ({
      key: ['1', id],
      expected: { note: `note of ${id}` },
      set: { note: id },
    })
    deepEqual(await table.write(ids.map(change)), [true, true, true, true])
  },
  'splits the rows into parts of about equal size that cover everything': async ({ table, insert }) => {
    await insert(many(40))
    const splits = await table.splits(4)
    equal(splits.length, 3)
    const bounds = [undefined, ...splits, undefined]
    let total = 0
    for (let part = 0; part < 4; part++) {
      const [after, until] = [bounds[part], bounds[part + 1]]
      const page = await table.page({ columns: COLUMNS, limit: 100, ...(after && { after }), ...(until && { until }) })
      ok(page.length >= 8 && page.length <= 12, `a part of ${page.length} rows`)
      total += page.length
    }
    equal(total, 40)
    deepEqual(await table.splits(1), [])
  },
  'refuses a column that the table does not have': async ({ table, insert }) => {
    await insert([row(1, 'a')])
    await rejects(table.page({ columns: ['nothing'], limit: 1 }), InvalidInputError)
    await rejects(table.write([{ key: ['1', 'a'], expected: {}, set: { nothing: 'x' } }]), InvalidInputError)
    await rejects(table.page({ columns: COLUMNS, limit: 0 }), InvalidInputError)
  },
}

const writePromises: TablePromises = {
  'writes a row that holds what is expected, and says so': async ({ table, insert, rows }) => {
    await insert([row(1, 'a'), row(1, 'b', null)])
    const made = await table.write([
      {
        key: ['1', 'a'],
        expected: { note: 'note of a', raw: Buffer.from([0, 255, 1]) },
        set: { note: 'new', raw: new Uint8Array([7]) },
      },
      { key: ['1', 'b'], expected: { note: null, raw: null }, set: { note: 'was null', raw: null } },
    ])
    deepEqual(made, [true, true])
    const [a, b] = await rows()
    equal(a?.note, 'new')
    deepEqual(Buffer.from(a?.raw as Uint8Array), Buffer.from([7]))
    equal(b?.note, 'was null')
    equal(b?.raw, null)
  },
  'leaves a row alone that holds something else, or is gone': async ({ table, insert, rows }) => {
    await insert([row(1, 'a'), row(1, 'b')])
    const before = await rows()
    const made = await table.write([
      { key: ['1', 'a'], expected: { note: 'Note of a' }, set: { note: 'x' } },
      { key: ['1', 'b'], expected: { note: null }, set: { note: 'x' } },
      { key: ['2', 'a'], expected: { note: null }, set: { note: 'x' } },
      { key: ['1', 'b'], expected: { raw: Buffer.from([0, 255, 2]) }, set: { note: 'x' } },
    ])
    deepEqual(made, [false, false, false, false])
    deepEqual(await rows(), before)
  },
  'compares text byte for byte: case, accents and spaces at the end matter': async ({ table, insert }) => {
    await insert([row(1, 'a', 'Straße ')])
    for (const other of ['straße ', 'Straße', 'Strasse ', 'Straße  ']) {
      deepEqual(await table.write([{ key: ['1', 'a'], expected: { note: other }, set: { note: 'x' } }]), [false])
    }
    deepEqual(await table.write([{ key: ['1', 'a'], expected: { note: 'Straße ' }, set: { note: 'x' } }]), [true])
  },
  'compares and sets columns of other types as text': async ({ table, insert, rows }) => {
    await insert([row(1, 'a')])
    const change = (from: string, to: string | null): RowChange => ({
      key: ['1', 'a'],
      expected: {},
      expectedTexts: { born: from },
      set: { born: to },
    })
    deepEqual(await table.write([change('2001-02-27', null)]), [false])
    deepEqual(await table.write([change('2001-02-28', '1999-12-31')]), [true])
    equal((await rows())[0]?.born, '1999-12-31')
  },
  'reads any column as a text by which exactly its value is found again': async ({ table, insert, rows }) => {
    const texts = ['Straße ', 'straße ', 'Straße', '1', '1.0', '']
    await insert(texts.map((note, at) => row(1, String(at), note)))
    const page = await table.page({ columns: [], texts: ['note', 'born'], limit: 10 })
    deepEqual(
      page.map(({ values }) => values.note),
      texts,
    )
    const change = ({ key, values }: TableRow, note: string): RowChange => ({
      key,
      expected: {},
      expectedTexts: { note, born: values.born as string },
      set: { note: 'found' },
    })
    for (const [at, read] of page.entries()) {
      const others = texts.filter((_, other) => other !== at).map((note) => change(read, note))
      deepEqual(await table.write(others), Array(others.length).fill(false))
    }
    const made = await table.write(page.map((read) => change(read, read.values.note as string)))
    deepEqual(made, Array(texts.length).fill(true))
    ok((await rows()).every(({ note }) => note === 'found'))
  },
  'writes ten thousand rows in one call': async ({ table, insert, rows }) => {
    const all = many(10_000)
    await insert(all)
    const changes = all.map(
      ({ tenant, id, note }): RowChange => ({
        key: [String(tenant), id],
        expected: { note },
        set: { note: `*${note}` },
      }),
    )
    ok((await table.write(changes)).every(Boolean))
    ok((await rows()).every(({ note }) => note?.startsWith('*')))
  },
  'lets one of two writers of the same rows win': async ({ table, second, insert, rows }) => {
    await insert(many(200))
    const changes = (to: string) =>
      many(200).map(
        ({ tenant, id, note }): RowChange => ({ key: [String(tenant), id], expected: { note }, set: { note: to } }),
      )
    const [a, b] = await Promise.all([table.write(changes('a')), second.write(changes('b').reverse())])
    b.reverse()
    const after = new Map((await rows()).map(({ tenant, id, note }) => [`${tenant} ${id}`, note]))
    for (const [at, { tenant, id }] of many(200).entries()) {
      equal(Number(a[at]) + Number(b[at]), 1)
      equal(after.get(`${tenant} ${id}`), a[at] ? 'a' : 'b')
    }
  },
}

const countPromises: TablePromises = {
  'counts rows by how a column of text begins': async ({ table, insert }) => {
    await insert([
      row(1, 'a', 'x1_abcd'),
      row(1, 'b', 'x1_abzz'),
      row(1, 'c', 'X1_ab'),
      row(1, 'd', null),
      row(1, 'e', 'x1_'),
      row(2, 'e', 'x%_'),
    ])
    const counts = await table.countHeads({ column: 'note', prefix: 'x1_', length: 5 })
    deepEqual(
      new Map(counts.map(({ head, rows }) => [head, rows])),
      new Map<unknown, number>([
        ['x1_ab', 2],
        ['x1_', 1],
        ['', 2],
        [null, 1],
      ]),
    )
  },
  'counts rows by how a column of bytes begins': async ({ table, insert }) => {
    await insert([row(1, 'a'), row(1, 'b'), row(2, 'a'), row(1, 'c', null)])
    const counts = await table.countHeads({ column: 'raw', prefix: Buffer.from([0]), length: 3 })
    const hex = counts.map(({ head, rows }) => [
      head === null ? null : Buffer.from(head as Uint8Array).toString('hex'),
      rows,
    ])
    deepEqual(
      new Map(hex as [string | null, number][]),
      new Map([
        ['00ff01', 2],
        ['00ff02', 1],
        [null, 1],
      ]),
    )
  },
  'counts apart by another column, when it is asked to': async ({ table, insert }) => {
    await insert([row(1, 'a', '01ff'), row(1, 'b', '02ff'), row(2, 'c', '01aa'), row(2, 'd', '01bb')])
    const counts = await table.countHeads({ column: 'note', prefix: '', length: 2, by: 'tenant' })
    deepEqual(
      new Set(counts.map(({ head, by, rows }) => `${by} ${head} ${rows}`)),
      new Set(['1 01 1', '1 02 1', '2 01 2']),
    )
  },
  'names a column of bytes in lower-case hexadecimal when it counts apart by it, as rows are identified by it': async ({
    table,
    insert,
  }) => {
    await insert([row(171, 'a', '01'), row(171, 'b', '01'), row(188, 'c', '01'), row(1, 'd', null)])
    const counts = await table.countHeads({ column: 'note', prefix: '', length: 2, by: 'raw' })
    deepEqual(
      new Set(counts.map(({ head, by, rows }) => `${by} ${head} ${rows}`)),
      new Set(['00ffab 01 2', '00ffbc 01 1', 'null null 1']),
    )
  },
  'counts by the first characters of every value when the prefix is empty': async ({ table, insert }) => {
    await insert([row(1, 'a', '01ff'), row(1, 'b', '02ff'), row(1, 'c', '01aa')])
    const counts = await table.countHeads({ column: 'note', prefix: '', length: 2 })
    deepEqual(
      new Map(counts.map(({ head, rows }) => [head, rows])),
      new Map([
        ['01', 2],
        ['02', 1],
      ]),
    )
  },
}

const START = { kind: 'reencrypt', record: 'people', phase: 'reencrypt', staleMs: STALE_MS } as const
const progress = (after: RowKey): JobProgress => ({
  ...NO_PROGRESS,
  after,
  counts: { rows: 5, written: 4, changed: 1, failed: 0 },
})

const jobPromises: TablePromises = {
  'makes the table of jobs any number of times, from several processes at once': async ({ table, second }) => {
    deepEqual(await table.jobs.list({ limit: 10, staleMs: STALE_MS }), [])
    await Promise.all([table.jobs.create(), second.jobs.create(), table.jobs.create()])
    await table.jobs.create()
    deepEqual(await table.jobs.list({ limit: 10, staleMs: STALE_MS }), [])
  },
  'gives a job to one of two holders': async ({ table, second }) => {
    await table.jobs.create()
    const job = await table.jobs.start(START)
    equal(job.state, 'running')
    equal(job.abandoned, false)
    deepEqual(job.progress, NO_PROGRESS)
    await rejects(second.jobs.start(START), JobBusyError)
    await rejects(second.jobs.start({ ...START, kind: 'migrate' }), JobBusyError)
    equal((await second.jobs.start({ ...START, record: 'others' })).record, 'others')
    equal((await table.jobs.list({ record: 'people', limit: 10, staleMs: STALE_MS })).length, 1)
  },
  'gives a stopped job back with its progress, and begins a new one when the last is done': async ({
    table,
    second,
  }) => {
    await table.jobs.create()
    const job = await table.jobs.start(START)
    await table.jobs.write({ id: job.id, token: job.token, state: 'stopped', progress: progress(['1', 'x']) })
    const again = await second.jobs.start(START)
    equal(again.id, job.id)
    ok(again.token > job.token)
    deepEqual(again.progress, progress(['1', 'x']))
    await second.jobs.write({ id: again.id, token: again.token, state: 'done', progress: progress(['2', 'y']) })
    const [listed] = await table.jobs.list({ record: 'people', limit: 10, staleMs: STALE_MS })
    equal(listed?.state, 'done')
    ok(Date.parse(listed?.endedAt ?? '') >= Date.parse(listed?.startedAt ?? ''))
    const next = await table.jobs.start(START)
    ok(next.id !== job.id)
    deepEqual(next.progress, NO_PROGRESS)
  },
  'lets a dead holder be replaced, and refuses what the dead one still writes': async ({
    table,
    second,
    insert,
    rows,
  }) => {
    await insert([row(1, 'a')])
    await table.jobs.create()
    const dead = await table.jobs.start(START)
    await new Promise((resolve) => setTimeout(resolve, 60))
    const taken = await second.jobs.start({ ...START, staleMs: 20 })
    equal(taken.id, dead.id)
    const before = await rows()
    const change: RowChange = { key: ['1', 'a'], expected: { note: 'note of a' }, set: { note: 'late' } }
    await rejects(
      table.write([change], { id: dead.id, token: dead.token, progress: progress(['1', 'a']) }),
      JobLostError,
    )
    await rejects(table.jobs.write({ id: dead.id, token: dead.token, progress: NO_PROGRESS }), JobLostError)
    deepEqual(await rows(), before)
    deepEqual(await second.write([change], { id: taken.id, token: taken.token, progress: progress(['1', 'a']) }), [
      true,
    ])
    const [listed] = await table.jobs.list({ record: 'people', limit: 1, staleMs: STALE_MS })
    deepEqual(listed?.progress, progress(['1', 'a']))
  },
  'remembers a phase, and what the job keeps for the next one': async ({ table, second }) => {
    await table.jobs.create()
    const { id, token } = await table.jobs.start({ ...START, kind: 'migrate', phase: 'add' })
    const kept = { 'note type': 'text "of" any length', note: 'ü' }
    await table.jobs.write({ id, token, state: 'stopped', phase: 'backfill', progress: { ...NO_PROGRESS, kept } })
    const again = await second.jobs.start({ ...START, kind: 'migrate', phase: 'add' })
    deepEqual([again.phase, again.progress], ['backfill', { ...NO_PROGRESS, kept }])
  },
  'works on several ranges of a table at once, but not on a range and the whole': async ({ table, second }) => {
    await table.jobs.create()
    await table.jobs.start({ ...START, until: ['5', 'm'] })
    await second.jobs.start({ ...START, from: ['5', 'm'] })
    await rejects(second.jobs.start({ ...START, until: ['5', 'm'] }), JobBusyError)
    await rejects(table.jobs.start(START), JobBusyError)
  },
}
