import { InvalidInputError } from '../errors.ts'
import { looksEncrypted } from '../format/field.ts'
import type { MappedRecord } from './mapped-record.ts'
import type { NamedTable } from './query-text.ts'

/**
 * Refuses a statement that would write something other than a ciphertext into an encrypted column, or change what values are
 * bound to. Reads the text as mappers write it, and refuses what it cannot read.
 *
 * @param parameters as the driver gets them, for `$1` or `?`
 * @throws InvalidInputError
 */
export function assertWrites(text: string, parameters: readonly unknown[], named: NamedTable): void {
  const table = `["\`]?${named.table.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["\`]?`
  if (new RegExp(`^\\s*(merge|replace|copy)\\b.*\\b${table}`, 'is').test(text)) throw unread(named.record)
  if (new RegExp(`^\\s*insert\\b.*?\\binto\\s+(["\`]?\\w+["\`]?\\.)?${table}(?![\\w"\`])`, 'is').test(text)) {
    assertInsert(text, parameters, named)
    return
  }
  const update = new RegExp(
    `^\\s*update\\s+(["\`]?\\w+["\`]?\\.)?${table}(\\s+(as\\s+)?["\`]?\\w+["\`]?)?\\s+set\\s`,
    'is',
  ).exec(text)
  if (update !== null) assertSet(text, update[0].length, parameters, named)
}

function assertInsert(text: string, parameters: readonly unknown[], named: NamedTable): void {
  const parsed = /\binto\s+[^(]*\(([^)]*)\)\s*values\s*/is.exec(text)
  if (parsed === null) throw unread(named.record)
  const columns = (parsed[1] as string).split(',').map((column) => column.trim().replace(/^["`]|["`]$/g, ''))
  let at = parsed.index + parsed[0].length
  let placeholders = count(text.slice(0, at))
  while (text[at] === '(') {
    const end = text.indexOf(')', at)
    const values = text.slice(at + 1, end).split(',')
    if (end < 0 || values.length !== columns.length) throw unread(named.record)
    for (const [position, given] of values.entries()) {
      const value = given.trim()
      const index = value === '?' ? placeholders : Number(value.slice(1)) - 1
      assertValue(columns[position] as string, value, () => parameters[index], named)
      placeholders += count(value)
    }
    at = end + 1
    while (text[at] === ',' || text[at] === ' ' || text[at] === '\n') at++
  }
  const conflict = /\bon\s+(conflict|duplicate)\b/i.exec(text.slice(at))
  if (conflict === null) return
  const { record, columns: names } = named
  const changed = [...names].find(([field, name]) => record.isEncrypted(field) && setsColumn(text.slice(at), name))
  if (changed !== undefined) {
    throw new InvalidInputError(
      `on conflict, ${record.name}.${changed[0]} cannot be set: the row in the way may be another one, to which the value is not bound. Use upsert() of the adapter`,
    )
  }
}

function assertSet(text: string, from: number, parameters: readonly unknown[], named: NamedTable): void {
  const { record, columns } = named
  const rest = text.slice(from)
  const end = rest.search(/\s(where|returning|from)\s/i)
  const set = end < 0 ? rest : rest.slice(0, end)
  for (const [field, name] of columns) {
    const assigned = new RegExp(`(?:^|[\\s,])["\`]?${name}["\`]?\\s*=\\s*`, 'i').exec(set)
    if (assigned === null) continue
    if (record.identity.includes(field)) throw record.changedIdentity(field)
    const at = assigned.index + assigned[0].length
    const token = (/^(\$\d+|\?|\w+)/.exec(set.slice(at))?.[0] ?? '') as string
    const index = token === '?' ? count(text.slice(0, from + at)) : Number(token.slice(1)) - 1
    assertValue(name, token, () => parameters[index], named)
  }
}

function assertValue(name: string, token: string, parameter: () => unknown, { record, columns }: NamedTable): void {
  const field = [...columns].find(([, column]) => column === name)?.[0]
  if (field === undefined) throw record.undeclared(name)
  if (!record.isEncrypted(field)) return
  const value = /^(\$\d+|\?)$/.test(token) ? parameter() : undefined
  if (/^null$/i.test(token) || value === null) {
    if (record.showsNull(field)) return
  } else if (/^default$/i.test(token) && record.showsNull(field)) return
  if (!looksEncrypted(value)) throw record.unencrypted(field)
}

/** How many placeholders without a number a text has. */
function count(text: string): number {
  return text.split('?').length - 1
}

function setsColumn(text: string, name: string): boolean {
  return new RegExp(`["\`]?\\b${name}["\`]?\\s*=`, 'i').test(text)
}

function unread(record: MappedRecord): InvalidInputError {
  return new InvalidInputError(
    `a statement that writes ${record.name} must name its columns and values: others could pass the encryption`,
  )
}
