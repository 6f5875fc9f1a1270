import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { InvalidInputError, TableError } from '../../src/errors.ts'
import type { RowChange, Table, TableChange, TableGuard } from '../../src/table.ts'
import { row, type TablePromises } from './table-harness.ts'

const change = async (table: Table, ...changes: TableChange[]) => {
  for (const one of changes) await table.run(await table.changeSql(one))
}
const ADDED: readonly TableChange[] = [
  { kind: 'add-column', column: 'sealed', holds: 'text' },
  { kind: 'add-column', column: 'sealed_raw', holds: 'bytes' },
  { kind: 'add-column', column: 'sealed_index', holds: 'text', width: 34 },
]
const GUARD: TableGuard = {
  name: 'zz_strongroom_sample',
  watched: [
    { source: 'note', derived: ['sealed', 'sealed_index'] },
    { source: 'born', derived: ['sealed_raw'] },
  ],
}
const SEALED = ['note', 'sealed', 'sealed_raw', 'sealed_index'] as const
const fill = { sealed: 's', sealed_raw: new Uint8Array([1]), sealed_index: 'i' }
const columnNames = async (table: Table) => (await table.describe()).columns.map(({ name }) => name)

/** What a table promises of changes to itself. */
export const changePromises: TablePromises = {
  'adds columns for text and for bytes, with an index, any number of times': async ({ table, insert }) => {
    await insert([row(1, 'a')])
    await change(table, ...ADDED, ...ADDED)
    const index: TableChange = { kind: 'add-index', index: 'sample_sealed_idx', column: 'sealed_index' }
    await change(table, index, index)
    const { columns, indexes } = await table.describe()
    const kinds = new Map(columns.map(({ name, holds, nullable, width }) => [name, { holds, nullable, width }]))
    deepEqual(kinds.get('sealed'), { ...kinds.get('sealed'), holds: 'text', nullable: true })
    deepEqual(kinds.get('sealed_raw'), { ...kinds.get('sealed_raw'), holds: 'bytes', nullable: true })
    for (const column of ['sealed', 'sealed_raw']) {
      const width = kinds.get(column)?.width ?? Number.POSITIVE_INFINITY
      ok(width >= 60_000, `${column} is ${width} wide`)
    }
    ok((kinds.get('sealed_index')?.width ?? 34) >= 34)
    deepEqual(
      indexes.filter(({ name }) => name === 'sample_sealed_idx').map((one) => [one.columns, one.unique]),
      [[['sealed_index'], false]],
    )
    deepEqual(await table.write([{ key: ['1', 'a'], expected: { sealed: null, sealed_raw: null }, set: fill }]), [true])
    await change(table, { kind: 'drop-index', index: 'sample_sealed_idx' })
    await change(table, { kind: 'drop-index', index: 'sample_sealed_idx' })
    ok(!(await table.describe()).indexes.some(({ name }) => name === 'sample_sealed_idx'))
  },
  'adds a column of the type that another has': async ({ table, insert, rows }) => {
    await insert([row(1, 'a')])
    const type = (await table.describe()).columns.find(({ name }) => name === 'born')?.type as string
    await change(table, { kind: 'add-column', column: 'born_again', holds: 'text', type })
    const added = (await table.describe()).columns.find(({ name }) => name === 'born_again')
    equal(added?.type, type)
    equal(added?.nullable, true)
    equal((await rows()).length, 1)
  },
  'empties what is derived from a column when that changes alone': async ({ table, second, insert }) => {
    await insert(['both', 'note', 'born', 'same'].map((id) => row(1, id)))
    await change(table, ...ADDED, { kind: 'guard', guard: GUARD }, { kind: 'guard', guard: GUARD })
    const set = (id: string, values: RowChange['set']) => second.write([{ key: ['1', id], expected: {}, set: values }])
    for (const id of ['both', 'note', 'born', 'same']) deepEqual(await set(id, fill), [true])
    await set('both', { note: 'new', sealed: 'new', sealed_index: 'new' })
    await set('note', { note: null })
    await set('born', { born: '1999-12-31' })
    await set('same', { note: 'note of same', born: '2001-02-28' })
    const page = await table.page({ columns: SEALED, limit: 10 })
    const held = new Map(
      page.map(({ key, values }) => [key[1], [values.sealed, values.sealed_raw !== null, values.sealed_index]]),
    )
    deepEqual(held.get('both'), ['new', true, 'new'])
    deepEqual(held.get('note'), [null, true, null])
    deepEqual(held.get('born'), ['s', false, 'i'])
    deepEqual(held.get('same'), ['s', true, 'i'])
    await change(table, { kind: 'unguard', name: GUARD.name }, { kind: 'unguard', name: GUARD.name })
    await set('both', { note: 'later' })
    const after = await table.page({ columns: SEALED, limit: 10 })
    equal(after.find(({ key }) => key[1] === 'both')?.values.sealed, 'new')
  },
  'takes a change of case, accents or spaces at the end for a change': async ({ table, second, insert }) => {
    await insert([row(1, 'a', 'Straße')])
    await change(table, ...ADDED, { kind: 'guard', guard: GUARD })
    for (const note of ['STRASSE', 'strasse', 'strasse ', 'stra\u00dfe ']) {
      await second.write([{ key: ['1', 'a'], expected: {}, set: fill }])
      await second.write([{ key: ['1', 'a'], expected: {}, set: { note } }])
      const [read] = await table.page({ columns: SEALED, limit: 1 })
      deepEqual([read?.values.note, read?.values.sealed], [note, null])
    }
  },
  'swaps the names of columns, and watches them under the new ones': async ({ table, second, insert }) => {
    await insert([row(1, 'a'), row(1, 'b')])
    await change(table, ...ADDED, { kind: 'guard', guard: GUARD })
    await second.write([{ key: ['1', 'a'], expected: {}, set: fill }])
    const guard = { name: GUARD.name, watched: [{ source: 'note_plain', derived: ['note', 'sealed_index'] }] }
    const columns = [
      { from: 'note', to: 'note_plain' },
      { from: 'sealed', to: 'note' },
    ]
    await change(table, { kind: 'rename', columns, guard })
    const names = await columnNames(table)
    ok(names.includes('note_plain') && names.includes('note') && !names.includes('sealed'))
    const read = async () =>
      (await table.page({ columns: ['note', 'note_plain', 'sealed_index'], limit: 1 }))[0]?.values
    deepEqual(await read(), { note: 's', note_plain: 'note of a', sealed_index: 'i' })
    await table.write([{ key: ['1', 'a'], expected: {}, set: { note_plain: 'x' } }])
    deepEqual(await read(), { note: null, note_plain: 'x', sealed_index: null })
  },
  'drops a column, and lets one be null or not': async ({ table, second, insert }) => {
    await insert([row(1, 'a')])
    await change(table, ...ADDED, { kind: 'drop-column', column: 'sealed' }, { kind: 'drop-column', column: 'sealed' })
    ok(!(await columnNames(table)).includes('sealed'))
    await rejects(table.page({ columns: ['sealed'], limit: 1 }), InvalidInputError)
    const nullable = async () => (await table.describe()).columns.find(({ name }) => name === 'note')?.nullable
    await change(table, { kind: 'refuse-null', column: 'note' })
    equal(await nullable(), false)
    await rejects(second.write([{ key: ['1', 'a'], expected: {}, set: { note: null } }]), TableError)
    await change(table, { kind: 'allow-null', column: 'note' }, { kind: 'allow-null', column: 'note' })
    equal(await nullable(), true)
  },
  'drops a column with the indexes that it is part of': async ({ table, insert }) => {
    await insert([row(1, 'a'), row(1, 'b')])
    await change(table, ...ADDED, { kind: 'add-index', index: 'sample_sealed_idx', column: 'sealed_index' })
    await change(table, { kind: 'drop-column', column: 'sealed_index' })
    const { columns, indexes } = await table.describe()
    ok(!columns.some(({ name }) => name === 'sealed_index'))
    ok(!indexes.some(({ name }) => name === 'sample_sealed_idx'))
    equal((await table.page({ columns: ['note'], limit: 10 })).length, 2)
  },
  'shows the statements of a change without making it': async ({ table }) => {
    const before = await columnNames(table)
    for (const one of [...ADDED, { kind: 'guard', guard: GUARD } as const]) {
      const statements = await table.changeSql(one)
      ok(statements.length > 0 && statements.every((statement) => statement.length > 10))
    }
    deepEqual(await columnNames(table), before)
  },
}
