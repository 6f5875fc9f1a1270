import { Buffer } from 'node:buffer'
import { looksEncrypted } from '../format/field.ts'
import type { TableColumn } from '../table.ts'
import { isKept } from './kept-text.ts'
import type { MovingColumn } from './layout.ts'
import { isSame, type OldCell, readCell, writeCell } from './typed-text.ts'

/**
 * The value that an old column holds.
 *
 * @returns undefined when it holds none: damaged, of another key, or nothing that the type can hold exactly
 */
export async function readOld({ field, declared }: MovingColumn, cell: OldCell): Promise<unknown> {
  if (cell === null) return field.nullable ? null : undefined
  // Encrypted here already, by a configuration that went too far: encrypted once more it could not be read.
  if (looksEncrypted(cell)) return undefined
  try {
    const opened = declared.format === undefined ? cell : declared.format.open(asText(cell))
    // A format gives text where bytes happen to be text.
    const isBytes = declared.format !== undefined && field.type === 'bytes' && typeof opened === 'string'
    const plain = isBytes ? asBytes(opened) : opened
    const value =
      declared.read === undefined ? (plain === null ? null : readCell(field.type, plain)) : await declared.read(plain)
    return value === null && !field.nullable ? undefined : value
  } catch {
    return undefined
  }
}

/**
 * What an old column shall hold for a value, in a rollback.
 *
 * @returns undefined when the column cannot hold it such that it is read as the same value
 */
export async function writeOld(
  moving: MovingColumn,
  value: unknown,
  column: TableColumn,
): Promise<OldCell | undefined> {
  try {
    const cell = await cellFor(moving, value, column)
    if (cell === undefined || !isKept(cell, column)) return undefined
    const back = await readOld(moving, cell)
    return back !== undefined && isSame(moving.field.type, back, value) ? cell : undefined
  } catch {
    return undefined
  }
}

async function cellFor({ field, declared }: MovingColumn, value: unknown, column: TableColumn) {
  const { format, read, write } = declared
  if (read !== undefined && write === undefined) return undefined
  if (value === null) return null
  const plain =
    write === undefined
      ? writeCell(field.type, value, format === undefined ? column : { type: 'text' })
      : await write(value as never)
  if (plain === undefined || plain === null) return plain
  const cell = format === undefined ? plain : format.seal(plain)
  if (column.holds === 'other') return cell
  return column.holds === 'bytes' ? asBytes(cell) : asText(cell)
}

function asText(cell: string | Uint8Array): string {
  return typeof cell === 'string' ? cell : Buffer.from(cell).toString('utf8')
}

function asBytes(cell: string | Uint8Array): Uint8Array {
  return typeof cell === 'string' ? Buffer.from(cell, 'utf8') : cell
}
