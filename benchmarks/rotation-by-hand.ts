import { bestDecrypt, bestEncrypt } from './baseline.ts'
import type { HandChange, HandRow, RotationDatabase } from './rotation-database.ts'
import { fill, noteOf } from './rotation-table.ts'

/*
 * What people write by hand: the best loop that we know, and the first that comes to mind. Both decrypt and encrypt each
 * value with node:crypto, bound to its row, and write only where the old value still stands.
 */

const aadOf = (id: number) => Buffer.from(`bench people note ${id}`)
const encrypted = async (ids: readonly number[]) => ids.map((id) => bestEncrypt(noteOf(id), aadOf(id)))

function again({ id, note }: HandRow): HandChange {
  return { id, note, fresh: bestEncrypt(bestDecrypt(note, aadOf(id)), aadOf(id)) }
}

/** Pages by key, one statement a page, and the next page read meanwhile. @returns what does it once */
export async function handWrittenLoop(
  database: RotationDatabase,
  rows: number,
  batch: number,
): Promise<() => Promise<number>> {
  await fill(database, 'by_hand', rows, encrypted)
  return async () => {
    let done = 0
    let next = database.page('by_hand', 0, batch)
    for (;;) {
      const found = await next
      if (found.length === 0) return done
      next = database.page('by_hand', found.at(-1)?.id as number, batch)
      done += await database.replace('by_hand', found.map(again))
    }
  }
}

/** One `update` for each row. @returns what does it once */
export async function rowByRow(database: RotationDatabase, rows: number): Promise<() => Promise<number>> {
  await fill(database, 'row_by_row', rows, encrypted)
  return async () => {
    let done = 0
    for (const row of await database.page('row_by_row', 0, rows)) {
      done += await database.replaceOne('row_by_row', again(row))
    }
    return done
  }
}
