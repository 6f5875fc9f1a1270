import { type InsertHead, insertRows, type OnValue } from './insert-rows.ts'
import { assertReadable, bareName, isNamed, type NamedTable } from './query-text.ts'
import { assertStored, literalValue } from './stored-text.ts'
import { assertWrites, knownColumn } from './write-text.ts'

/**
 * Refuses a statement that would write something other than a ciphertext into an encrypted column, change what values are
 * bound to, or have the database compare, group or order by an encrypted column.
 *
 * @param parameters as the driver gets them, for `$1` or `?`
 * @throws InvalidInputError
 */
export function assertStatement(text: string, parameters: readonly unknown[], named: NamedTable): void {
  const short = withoutRows(text, parameters, named)
  assertReadable(short, named)
  assertWrites(short, parameters, named)
}

/**
 * The statement without the rows of an insert behind the first one, which are checked here: a thousand rows are a text that
 * takes longer to read by the rules of SQL than to write.
 */
function withoutRows(text: string, parameters: readonly unknown[], named: NamedTable): string {
  const rows = insertRows(text, named.backslash, (head) => checkOf(text, head, parameters, named))
  return rows === undefined || rows.from === rows.to ? text : text.slice(0, rows.from) + text.slice(rows.to)
}

function checkOf(
  text: string,
  { table, columns }: InsertHead,
  parameters: readonly unknown[],
  named: NamedTable,
): OnValue | undefined {
  if (!isNamed(table, named)) return () => undefined
  const { record } = named
  const names = columns.map((column) => knownColumn(named, bareName(column)))
  if (!names.every((name) => name !== undefined)) return undefined
  const isOurs = names.map((name) => record.indexColumns.has(name) || record.isEncrypted(name))
  return (at, from, to, parameter) => {
    if (!isOurs[at]) return
    const given = parameter < 0 ? literalValue(text, from, to) : parameters[parameter]
    assertStored(record, names[at] as string, given)
  }
}
