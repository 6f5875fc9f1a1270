import type { Backslash } from './sql-text.ts'

/** What an insert names before its rows, as it is written. */
export interface InsertHead {
  readonly table: string
  readonly columns: readonly string[]
}

/** Where the rows of an insert stand, but for the first one. */
export interface InsertRows {
  readonly from: number
  readonly to: number
}

/**
 * Is told of a value: its place in the row, where it stands in the text, and the number of the parameter that it is, or -1.
 * Every place and number counts from 0.
 */
export type OnValue = (at: number, from: number, to: number, parameter: number) => void

const NAME = '(?:"[^"]+"|`[^`]+`|\\w+)'
const HEAD = new RegExp(
  `^\\s*insert\\s+into\\s+(?:${NAME}\\s*\\.\\s*)*(${NAME})\\s*\\(([^()']*)\\)\\s*values\\s*(?=\\()`,
  'i',
)
const WORD = /(?:null|default|true|false|-?\d+(?:\.\d+)?)(?![\w.])/iy
const CAST = /::\w+/y

/**
 * Finds the rows of an insert that hold nothing but parameters, literals and numbers, of which no reader of SQL can make
 * anything else. What stands before and behind them is for others to read.
 *
 * @param begin gets the names, and gives what is told of each value of these rows, or undefined to have nothing found
 * @returns undefined for any other statement, also when it was told of some values
 */
export function insertRows(
  text: string,
  backslash: Backslash | undefined,
  begin: (head: InsertHead) => OnValue | undefined,
): InsertRows | undefined {
  const head = HEAD.exec(text)
  // In some databases a backslash hides the quote behind it.
  if (head === null || (backslash !== 'character' && text.includes('\\'))) return undefined
  const [opening, table = '', list = ''] = head
  const columns = list.split(',').map((column) => column.trim())
  const onValue = begin({ table, columns })
  return onValue && new RowReader(text, columns.length, onValue).read(opening.length)
}

class RowReader {
  readonly #text: string
  readonly #width: number
  readonly #onValue: OnValue
  #placeholders = 0
  /** The parameter that the value read last is, from 0, or -1. */
  #parameter = -1

  constructor(text: string, width: number, onValue: OnValue) {
    this.#text = text
    this.#width = width
    this.#onValue = onValue
  }

  /** @param opening where the first row begins */
  read(opening: number): InsertRows | undefined {
    const from = this.#row(opening, true)
    let to = from
    while (to >= 0) {
      const comma = this.#skip(to)
      if (this.#text[comma] !== ',') {
        // A placeholder behind the rows would be another one without them.
        return this.#placeholders > 0 && this.#text.includes('?', to) ? undefined : { from, to }
      }
      const next = this.#skip(comma + 1)
      to = this.#text[next] === '(' ? this.#row(next, false) : -1
    }
    return undefined
  }

  /** @returns the position behind the row, or -1 when it is not one of values alone */
  #row(opening: number, isFirst: boolean): number {
    const text = this.#text
    const last = this.#width - 1
    let position = opening + 1
    for (let at = 0; at <= last; at++) {
      const from = this.#skip(position)
      const to = this.#value(from)
      if (to < 0) return -1
      if (!isFirst) this.#onValue(at, from, to, this.#parameter)
      position = this.#skip(to)
      if (text.charCodeAt(position) !== (at === last ? CLOSING : COMMA)) return -1
      position++
    }
    return position
  }

  /** @returns the position behind a value, whose parameter it notes, or -1 when it is another expression */
  #value(from: number): number {
    const text = this.#text
    const first = text.charCodeAt(from)
    this.#parameter = -1
    let end = -1
    if (first === DOLLAR) end = this.#number(from + 1)
    else if (first === QUOTE) end = this.#literal(from)
    else if (first === QUESTION) {
      this.#parameter = this.#placeholders++
      end = from + 1
    } else if ((first | 32) === LETTER_X && text.charCodeAt(from + 1) === QUOTE) end = this.#literal(from + 1)
    else end = matched(WORD, text, from)
    return end >= 0 && text.charCodeAt(end) === COLON ? matched(CAST, text, end) : end
  }

  /** @returns the position behind a literal, in which two quotes are one */
  #literal(quote: number): number {
    const text = this.#text
    let end = text.indexOf("'", quote + 1)
    while (end >= 0 && text.charCodeAt(end + 1) === QUOTE) end = text.indexOf("'", end + 2)
    return end < 0 ? -1 : end + 1
  }

  /** @returns the position behind the number of a parameter */
  #number(from: number): number {
    const text = this.#text
    let end = from
    let number = 0
    let code = text.charCodeAt(end)
    for (; isDigit(code); code = text.charCodeAt(++end)) number = number * 10 + code - 48
    this.#parameter = number - 1
    return end > from && end - from <= 6 && code !== UNDERSCORE && !isLetter(code) ? end : -1
  }

  #skip(from: number): number {
    let at = from
    while (isSpace(this.#text.charCodeAt(at))) at++
    return at
  }
}

const [QUOTE, DOLLAR, QUESTION, COLON, COMMA, CLOSING, UNDERSCORE, LETTER_X] = Array.from("'$?:,)_x", (character) =>
  character.charCodeAt(0),
)

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function isLetter(code: number): boolean {
  return (code | 32) >= 97 && (code | 32) <= 122
}

function matched(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex : -1
}
