const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|\/\*.*?\*\//gs
const BACKSLASH_TOKEN = /'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|`[^`]*`|--[^\n]*|\/\*.*?\*\//gs

/** What a backslash in a literal is: the SQL standard says a character, MySQL says the beginning of an escape. */
export type Backslash = 'character' | 'escape'

/** The text of a statement in which nothing that looks like SQL is quoted. Every position is that of the text. */
export interface SqlText {
  readonly text: string
  /** Without the content of literals and without comments: what names stand in. */
  readonly names: string
  /** Also without the content of quoted names: what keywords, commas and parentheses stand in. */
  readonly bare: string
}

/**
 * Reads what is quoted in a statement.
 *
 * @param backslash left out where the database is not known
 * @returns undefined where databases disagree on what is quoted: a backslash before a quote, unless `backslash` says what it
 * is, `#`, `--` without a space, `$$`, and comments in or instead of others
 */
export function sqlText(text: string, backslash?: Backslash): SqlText | undefined {
  let ambiguous = false
  const tokens = backslash === 'escape' ? BACKSLASH_TOKEN : TOKEN
  const names = text.replace(tokens, (token, at: number) => {
    const first = token[0]
    // PostgreSQL: E'…' has escapes, whatever other literals have.
    const isPlain = backslash === 'character' && !/\be$/i.test(text.slice(Math.max(0, at - 2), at))
    const isKnown = backslash === 'escape' || isPlain
    ambiguous ||= (!isKnown && /\\['"`]/.test(token)) || /^--[^\s-]/.test(token) || /^\/\*(!|M!|.*\/\*)/s.test(token)
    if (first === '"' || first === '`') return token
    return first === "'" ? `'${'_'.repeat(token.length - 2)}'` : ' '.repeat(token.length)
  })
  const bare = names.replace(tokens, (token) => `${token[0]}${'_'.repeat(token.length - 2)}${token[0]}`)
  const rest = bare.replace(/'_*'|"_*"|`_*`/g, '')
  ambiguous ||= /['"`]|\/\*|#(?![>-])|\$([a-z_]\w*)?\$/i.test(rest)
  return ambiguous ? undefined : { text, names, bare }
}

/** Where the parenthesis around a position closes, or where its text ends, or an `until` outside of inner parentheses. */
export function endOf(bare: string, from: number, until?: RegExp): number {
  const ends = until === undefined ? new Set<number>() : new Set(Array.from(bare.matchAll(until), ({ index }) => index))
  let depth = 0
  for (let at = from; at < bare.length; at++) {
    if (depth === 0 && ends.has(at)) return at
    if (bare[at] === '(') depth++
    else if (bare[at] === ')' && --depth < 0) return at
  }
  return bare.length
}

/** Where the parenthesis around a position opens, or -1. */
export function startOf(bare: string, from: number): number {
  let depth = 0
  for (let at = from - 1; at >= 0; at--) {
    if (bare[at] === ')') depth++
    else if (bare[at] === '(' && --depth < 0) return at
  }
  return -1
}

/** The parts of a list, by the positions where they start and end: commas in parentheses do not part it. */
export function listItems(bare: string, from: number, to: number): (readonly [from: number, to: number])[] {
  const items: (readonly [number, number])[] = []
  let depth = 0
  let start = from
  for (let at = from; at < to; at++) {
    if (bare[at] === '(') depth++
    else if (bare[at] === ')') depth--
    else if (bare[at] === ',' && depth === 0) {
      items.push([start, at])
      start = at + 1
    }
  }
  return [...items, [start, to]]
}
