import { InvalidInputError } from '../errors.ts'
import type { MappedRecord } from './mapped-record.ts'
import { bareName, columnNames, escaped, isNamed, type NamedTable } from './query-text.ts'
import { NAME, sourceNames } from './source-text.ts'
import { endOf, listItems, type SqlText, sqlText } from './sql-text.ts'
import { assertStored, literalValue } from './stored-text.ts'

// Not `for update`, `do update set`, `on duplicate key update`, `on update cascade`, triggers, grants and functions.
const WRITE =
  /(?<!\b(?:for|key|on|or|after|before|of|grant|revoke)\s+|\bdo\s+(?=update\s+set\b)|[.\w])(?:update|(?:insert|merge|replace|copy|load)(?!\s*\())\b(?!\s*,|\s+(?:on|of)\b)/gi
const SET_ENDS = /;|\b(?:where|returning|order|limit)\b|(?<!\bdistinct\s+)\bfrom\b/gi
/** Where what is written ends to be named. */
const HEAD_ENDS = /[(;]|\b(?:set|values|select|with)\b/gi
const ASSIGNED = new RegExp(`^\\s*(?:${NAME}\\s*\\.\\s*)*(${NAME})\\s*=\\s*`)
const VALUE = /^(\$\d+|\?|null|default)(?:::\w+)?$/i

/**
 * Refuses a statement that would write something other than a ciphertext into an encrypted column, or change what values are
 * bound to. Reads the text as mappers write it, and refuses what it cannot read.
 *
 * @param parameters as the driver gets them, for `$1` or `?`
 * @throws InvalidInputError
 */
export function assertWrites(text: string, parameters: readonly unknown[], named: NamedTable): void {
  const sql = sqlText(text, named.backslash)
  if (sql === undefined) {
    if (text.search(WRITE) >= 0 && isNamed(text, named)) throw unread(named.record)
    return
  }
  for (const { index, 0: verb } of sql.bare.matchAll(WRITE)) {
    const write = new Write(sql, index + verb.length, parameters, named)
    if (/^insert$/i.test(verb)) write.assertInsert()
    else if (/^update$/i.test(verb)) write.assertUpdate()
    else if (isNamed(sql.names.slice(index), named) || write.isNamedInLiteral) throw unread(named.record)
  }
}

/** One write of a statement, from behind its verb. */
class Write {
  readonly #sql: SqlText
  readonly #from: number
  readonly #parameters: readonly unknown[]
  readonly #named: NamedTable
  /** Which parameter each `?` stands for, by its position. */
  readonly #placeholders: ReadonlyMap<number, number>

  constructor(sql: SqlText, from: number, parameters: readonly unknown[], named: NamedTable) {
    this.#sql = sql
    this.#from = from
    this.#parameters = parameters
    this.#named = named
    this.#placeholders = new Map(Array.from(sql.bare.matchAll(/\?/g), ({ index }, nth) => [index, nth]))
  }

  /** Whether the table is named in single quotes, as SQLite takes it. */
  get isNamedInLiteral(): boolean {
    const { text, bare } = this.#sql
    const head = text.slice(this.#from, endOf(bare, this.#from, HEAD_ENDS))
    return head.includes("'") && isNamed(head, this.#named)
  }

  assertInsert(): void {
    const { names, bare } = this.#sql
    const { record } = this.#named
    const rest = names.slice(this.#from)
    const into = new RegExp(
      `^(?:\\s+\\w+)*?\\s+into\\s+(?:${NAME}\\s*\\.\\s*)*(${NAME})(?![\\w"\`]|\\s*\\.)`,
      'i',
    ).exec(rest)
    if (into === null || /\s+all\s/i.test(into[0])) {
      if (isNamed(rest, this.#named) || this.isNamedInLiteral) throw unread(record)
      return
    }
    if (!isNamed(into[1] as string, this.#named)) return
    const behind = rest.slice(into[0].length)
    const list = new RegExp(`^(?:\\s+as\\s+${NAME})?\\s*\\(([^()]*)\\)\\s*values\\s*(?=\\()`, 'i').exec(behind)
    if (list === null) throw unread(record)
    const columns = (list[1] as string).split(',').map((column) => this.#declared(bareName(column.trim())))
    let at = this.#from + into[0].length + list[0].length
    while (bare[at] === '(') {
      const end = endOf(bare, at + 1)
      const items = listItems(bare, at + 1, end)
      if (bare[end] !== ')' || items.length !== columns.length) throw unread(record)
      for (const [position, item] of items.entries()) this.#assertValue(columns[position] as string, ...item)
      at = end + 1
      while (/[\s,]/.test(bare[at] ?? '')) at++
    }
    if (!/^(?:$|[;)]|on\s+(?:conflict|duplicate)\b|returning\b|as\b)/i.test(bare.slice(at))) throw unread(record)
    this.#assertConflict(at)
    // A column left NULL does not decrypt, and a default of the database is plaintext.
    for (const field of record.fields) {
      if (!columns.includes(field) && record.isEncrypted(field) && !record.showsNull(field)) throw record.missing(field)
    }
  }

  assertUpdate(): void {
    const { names, bare } = this.#sql
    const { record } = this.#named
    const set = endOf(bare, this.#from, /\bset\b/gi)
    const target = names.slice(this.#from, set)
    const isSet = /^set\b/i.test(bare.slice(set))
    if (!isNamed(isSet ? target : names, this.#named) && !this.isNamedInLiteral) return
    const simple = new RegExp(
      `^\\s+(?:${NAME}\\s*\\.\\s*)*${tableOf(this.#named)}(?:\\s+(?:as\\s+)?${NAME})?\\s+$`,
      'i',
    )
    if (!isSet || !simple.test(target)) throw unread(record)
    for (const { column, from, to } of this.#assigned(set + 3)) {
      const known = knownColumn(this.#named, column)
      if (known === undefined) continue
      if (record.identity.includes(known)) throw record.changedIdentity(known)
      this.#assertValue(known, from, to)
    }
  }

  #declared(column: string): string {
    const known = knownColumn(this.#named, column)
    if (known === undefined) throw this.#named.record.undeclared(column)
    return known
  }

  #assertConflict(at: number): void {
    const { record } = this.#named
    const end = endOf(this.#sql.bare, at, /;/g)
    const set = /\b(?:do\s+update\s+set|key\s+update)\b/i.exec(this.#sql.bare.slice(at, end))
    if (set === null) return
    for (const { column, from, to } of this.#assigned(at + set.index + set[0].length)) {
      const known = knownColumn(this.#named, column)
      if (known === undefined) continue
      if (record.identity.includes(known)) {
        throw new InvalidInputError(
          `on conflict, ${record.name}.${known} cannot be changed: the values of the row in the way are bound to it. Use upsert() of the adapter`,
        )
      }
      if (!record.isEncrypted(known) && !record.indexColumns.has(known)) {
        this.#assertPlain(known, from, to)
        continue
      }
      throw new InvalidInputError(
        `on conflict, ${record.name}.${known} cannot be set: the row in the way may be another one, to which the value is not bound. Use upsert() of the adapter`,
      )
    }
  }

  /** The columns of a SET list, and where their values start and end. */
  #assigned(from: number): { column: string; from: number; to: number }[] {
    const { names, bare } = this.#sql
    return listItems(bare, from, endOf(bare, from, SET_ENDS)).map(([start, to]) => {
      const item = ASSIGNED.exec(names.slice(start, to))
      if (item === null) throw unread(this.#named.record)
      return { column: bareName(item[1] as string), from: start + item[0].length, to }
    })
  }

  #assertValue(field: string, from: number, to: number): void {
    const { record } = this.#named
    if (!record.indexColumns.has(field) && !record.isEncrypted(field)) {
      this.#assertPlain(field, from, to)
      return
    }
    const text = this.#sql.names.slice(from, to)
    const token = VALUE.exec(text.trim())?.[1]?.toLowerCase() ?? ''
    const index = token === '?' ? this.#placeholders.get(from + text.indexOf('?')) : Number(token.slice(1)) - 1
    const isParameter = /^[$?]/.test(token)
    const literal = this.#sql.text.slice(from, to).trim()
    const given = isParameter ? this.#parameters[index as number] : literalValue(literal, 0, literal.length)
    assertStored(record, field, given)
  }

  /** Refuses an expression for a plain column that reads an encrypted one: the database would compare or copy ciphertexts. */
  #assertPlain(field: string, from: number, to: number): void {
    const { record } = this.#named
    const text = this.#sql.names.slice(from, to)
    if (VALUE.test(text.trim())) return
    const { others } = sourceNames(this.#sql, this.#named.table)
    for (const [other, name] of columnNames(this.#named)) {
      if (other === field || !record.isEncrypted(other)) continue
      const read = new RegExp(`(?:(${NAME})\\s*\\.\\s*)?(?<![\\w'])["\`]?${escaped(name)}["\`]?(?![\\w'(])`, 'gi')
      for (const [, of] of text.matchAll(read)) {
        if (of === undefined || !others.has(bareName(of))) throw record.compared(other)
      }
    }
  }
}

/** The name in the record of a column of the table, in whatever spelling. */
export function knownColumn(named: NamedTable, column: string): string | undefined {
  const lower = column.toLowerCase()
  for (const [known, name] of columnNames(named)) if (name.toLowerCase() === lower) return known
  return undefined
}

function tableOf({ table }: NamedTable): string {
  return `["\`]?${escaped(table)}["\`]?`
}

function unread(record: MappedRecord): InvalidInputError {
  return new InvalidInputError(
    `a statement that writes ${record.name} must name its columns and values: others could pass the encryption`,
  )
}
