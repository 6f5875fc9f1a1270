import { expect, test } from 'vitest'
import { hasWord, isAbout, parseCreateTable, withNullness } from '../../../providers/sqlite/create-table-text.ts'

const SQL = `CREATE TABLE "od)d" (
  id integer primary key autoincrement, -- the number, of it
  "e,mail" text constraint "not here" not null on conflict fail unique collate nocase,
  [note] varchar(10, 2) not null check (note <> 'not null, (') default ('x''),'),
  \`ref\` int /* not null */ references other (id) on delete cascade -- cascade
  ,
  primary key2 text,
  constraint c unique ("e,mail", note),
  check (length(ref) > 0 and 'kind' <> 'id'),
  foreign key ("note") references other (ref)
) strict, without rowid`

test('a declaration is taken apart into columns and constraints, whatever stands in quotes and comments', () => {
  const parsed = parseCreateTable(SQL)
  expect(parsed?.definitions.map(({ column }) => column)).toEqual([
    'id',
    'e,mail',
    'note',
    'ref',
    undefined, // SQLite itself would not take this one
    undefined,
    undefined,
    undefined,
  ])
  expect(parsed?.options).toBe('strict, without rowid')
  const [id, email, note, ref, , unique, check, foreign] = parsed?.definitions ?? []
  if (!id || !email || !note || !ref || !unique || !check || !foreign) throw new Error('nothing was parsed')
  expect(withNullness(email, true)).toMatch(/^-- the number, of it\s+"e,mail" text\s+unique collate nocase$/)
  expect(withNullness(note, true)).toMatch(/^\[note\] varchar\(10, 2\)\s+check \(note <> 'not null, \('\) default/)
  expect(withNullness(ref, true)).toBe(ref.sql)
  expect(withNullness(ref, false)).toMatch(/on delete cascade not null$/)
  expect(['note', 'ref', 'other'].map((column) => isAbout(foreign, column))).toEqual([true, false, false])
  expect(hasWord(email, 'unique')).toBe(true)
  expect(hasWord(ref, 'null')).toBe(false)
  expect(['E,Mail', 'NOTE', 'ref', 'c'].map((column) => isAbout(unique, column))).toEqual([true, true, false, false])
  expect(['ref', 'id', 'kind'].map((column) => isAbout(check, column))).toEqual([true, false, false])
})

test('a statement without definitions is not understood', () => {
  expect(parseCreateTable('CREATE TABLE x')).toBeUndefined()
})
