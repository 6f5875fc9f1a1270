import pg from 'pg'
import { expect, test } from 'vitest'
import { arrayText } from '../../../providers/postgres/array-text.ts'
import { createDatabase } from '../../fixtures/postgres-database.ts'

const TEXTS = ['', ' ', 'a', 'NULL', 'null', null, '{}', '{', '}', ',', 'a,b', '"', '""', "'", '\\', '\\"', '\\\\x00']
const MORE = ['\n', '\r\n', '\t', '\b', '\u007f', '\u2028', 'é', 'é', '😀', 'sr1_-_', ' a ', '$1']

test('every text arrives in PostgreSQL as it was, whichever others are in the array', async () => {
  const database = await createDatabase()
  const client = new pg.Client({ connectionString: database.connectionString })
  await client.connect()
  const arrived = async (texts: readonly unknown[]) =>
    (await client.query('select $1::text[] as texts', [arrayText(texts)])).rows[0].texts
  const all = [...TEXTS, ...MORE]
  try {
    for (const text of all) expect(await arrived([text])).toEqual([text])
    for (const text of all) expect(await arrived(['a', text, 'sr1_x', null])).toEqual(['a', text, 'sr1_x', null])
    expect(await arrived(all)).toEqual(all)
    expect(await arrived([undefined])).toEqual([null])
  } finally {
    await client.end()
    await database.drop()
  }
})

test('what is no text is left to the driver', () => {
  const items = [new Date(0)]
  expect(arrayText(items)).toBe(items)
  expect(arrayText([Buffer.from('a')])).toEqual([Buffer.from('a')])
})
