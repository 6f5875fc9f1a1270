import { Buffer } from 'node:buffer'
import { FIELD_FORMAT, HEADER_LENGTH, keyIdOfHead, TEXT_HEAD_LENGTH, TEXT_PREFIX } from '../format/field.ts'
import type { UnknownRow } from './row-identity.ts'

/** The ids of all keys that these rows name, read from the head of each value. */
export function keyIdsOf(rows: readonly UnknownRow[], columns: readonly string[]): Set<string> {
  const heads = new Set<string>()
  const ids = new Set<string>()
  let last = TEXT_PREFIX // the head of the value before, which mostly is that of the next one
  for (const row of rows) {
    for (const column of columns) {
      const value = row[column]
      if (typeof value === 'string') {
        if (!value.startsWith(TEXT_PREFIX) || (heads.size > 0 && value.startsWith(last))) continue
        last = value.slice(0, TEXT_HEAD_LENGTH)
        heads.add(last)
      } else if (value instanceof Uint8Array && value[0] === FIELD_FORMAT && value.byteLength >= HEADER_LENGTH) {
        ids.add(Buffer.from(value.subarray(1, HEADER_LENGTH)).toString('hex'))
      }
    }
  }
  for (const head of heads) {
    const id = keyIdOfHead(head)
    if (id !== undefined) ids.add(id)
  }
  return ids
}
