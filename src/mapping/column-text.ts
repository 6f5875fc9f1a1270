import { bareName, escaped, NAME } from './source-text.ts'
import { endOf, listItems, type SqlText } from './sql-text.ts'

type Text = Pick<SqlText, 'names' | 'bare'>

/** Where something stands in a text. */
export type Span = readonly [start: number, end: number]

const LIST = /\b(?:order|group|partition)\s+by\b/gi
const LIST_ENDS = /;|\b(?:limit|offset|fetch|for|having|window|union|order|rows|range|groups|returning)\b/gi

/**
 * Where a column is named, unless it is that of another table.
 *
 * @param unquoted also where it has no quotes
 */
export function occurrences(
  { names, bare }: Text,
  name: string,
  others: ReadonlySet<string>,
  unquoted: boolean,
): Span[] {
  const pattern = `(?:(?:(?:["\`][^"\`]+["\`]|\\b\\w+)\\.)*(?:["\`]([^"\`]+)["\`]|\\b(\\w+))\\.)?["\`]${escaped(name)}["\`](?!\\s*\\.)`
  // Some databases take a name in other letters for the same, also in quotes.
  const quoted = [...names.matchAll(new RegExp(pattern, 'gi'))]
  const word = `(?:(?:${NAME}\\.)*(?:["\`]([^"\`]+)["\`]|\\b(\\w+))\\.|(?<![\\w.$:@"\`]))${escaped(name)}(?![\\w"\`.]|\\s*\\()`
  const words = unquoted ? [...names.matchAll(new RegExp(word, 'gi'))] : []
  const isQuoted = (end: number) => bare.slice(end - name.length, end) !== names.slice(end - name.length, end)
  // Behind `as` it is what something else is called, or a type.
  const isGiven = (start: number) => /\bas\s+$/i.test(bare.slice(Math.max(0, start - 8), start))
  return [...quoted, ...words.filter((found) => !isQuoted(found.index + found[0].length) && !isGiven(found.index))]
    .filter((found) => !others.has(found[1] ?? found[2] ?? ''))
    .map((found) => [found.index, found.index + found[0].length] as const)
}

/** The names that a select gives to what stands at these places. */
export function aliases({ names }: Text, spans: readonly Span[]): Set<string> {
  const alias = new RegExp(`\\s+as\\s+(${NAME})`, 'iy')
  const found = new Set<string>()
  for (const [, end] of spans) {
    alias.lastIndex = end
    const name = alias.exec(names)?.[1]
    if (name !== undefined) found.add(bareName(name))
  }
  return found
}

/** A list by which rows are ordered, grouped or parted. */
export interface RowList {
  readonly isOrder: boolean
  readonly span: Span
  /** Whether it names a column by its position in the selection. */
  readonly hasPosition: boolean
}

export function rowLists(bare: string): RowList[] {
  return [...bare.matchAll(LIST)].map(({ index, 0: words }) => {
    const from = index + words.length
    const end = endOf(bare, from, LIST_ENDS)
    const hasPosition = listItems(bare, from, end).some((item) =>
      /^\s*\d+\s*(?:asc|desc|nulls|$)/i.test(bare.slice(...item)),
    )
    return { isOrder: /^order/i.test(words), span: [from, end], hasPosition }
  })
}
