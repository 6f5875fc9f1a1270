import type pg from 'pg'
import { bestDecrypt, bestEncrypt } from './baseline.ts'
import { insert, noteOf } from './rotation-table.ts'

/*
 * What people write by hand: the best loop that we know, and the first that comes to mind. Both decrypt and encrypt each
 * value with node:crypto, bound to its row, and write only where the old value still stands.
 */

const aadOf = (id: number) => Buffer.from(`bench people note ${id}`)
const again = (id: number, note: string) => bestEncrypt(bestDecrypt(note, aadOf(id)), aadOf(id))

interface Row {
  readonly id: number
  readonly note: string
}

/** Pages by key, one `update … from unnest` a page, and the next page read meanwhile. @returns what does it once */
export async function handWrittenLoop(pool: pg.Pool, rows: number, batch: number): Promise<() => Promise<number>> {
  await insert(pool, 'by_hand', rows, async (ids) => ids.map((id) => bestEncrypt(noteOf(id), aadOf(id))))
  const page = async (after: number) =>
    (await pool.query<Row>('select id, note from by_hand where id > $1 order by id limit $2', [after, batch])).rows
  return async () => {
    let done = 0
    let next = page(0)
    for (;;) {
      const found = await next
      if (found.length === 0) return done
      next = page(found.at(-1)?.id as number)
      const columns = [
        found.map(({ id }) => id),
        found.map(({ note }) => note),
        found.map(({ id, note }) => again(id, note)),
      ]
      const sql = `update by_hand as t set note = d.fresh from unnest($1::int[], $2::text[], $3::text[]) as d(id, old, fresh)
        where t.id = d.id and t.note = d.old`
      done += (await pool.query(sql, columns)).rowCount ?? 0
    }
  }
}

/** One `update` for each row. @returns what does it once */
export async function rowByRow(pool: pg.Pool, rows: number): Promise<() => Promise<number>> {
  await insert(pool, 'row_by_row', rows, async (ids) => ids.map((id) => bestEncrypt(noteOf(id), aadOf(id))))
  return async () => {
    const { rows: found } = await pool.query<Row>('select id, note from row_by_row order by id')
    let done = 0
    for (const { id, note } of found) {
      const sql = 'update row_by_row set note = $1 where id = $2 and note = $3'
      done += (await pool.query(sql, [again(id, note), id, note])).rowCount ?? 0
    }
    return done
  }
}
