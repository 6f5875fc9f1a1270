/** A definition inside of `create table (…)`: of a column, or of a constraint of the table. */
export interface Definition {
  readonly sql: string
  /** The name of the column; undefined for a constraint. */
  readonly column: string | undefined
  readonly tokens: readonly Token[]
}

/** A part of a statement that means something: what stands in quotes or parentheses is one. */
export interface Token {
  readonly text: string
  readonly from: number
  readonly to: number
}

/** A `create table` statement, taken apart. */
export interface CreateTable {
  readonly definitions: readonly Definition[]
  /** Behind the definitions: `strict`, `without rowid`. */
  readonly options: string
}

const CONSTRAINTS = /^(constraint|primary|unique|check|foreign)$/i

/** Takes apart what SQLite keeps of a `create table` statement; undefined where that is not as it is known. */
export function parseCreateTable(sql: string): CreateTable | undefined {
  const body = tokensOf(sql).find(({ text }) => text.startsWith('('))
  if (body === undefined) return undefined
  const inside = sql.slice(body.from + 1, body.to - 1)
  const tokens = tokensOf(inside)
  const commas = [...tokens.filter(({ text }) => text === ',').map(({ from }) => from), inside.length]
  const definitions = commas.map((end, at): Definition => {
    const own = inside.slice(at === 0 ? 0 : (commas[at - 1] as number) + 1, end).trim()
    const parts = tokensOf(own)
    const first = parts[0]?.text ?? ''
    // A comment behind it would hide what is put there.
    return {
      sql: own.slice(0, parts.at(-1)?.to),
      tokens: parts,
      column: CONSTRAINTS.test(first) ? undefined : unquoted(first),
    }
  })
  return { definitions, options: sql.slice(body.to).trim() }
}

/** A definition of a column that says, or does not say, that it may not be null. */
export function withNullness({ sql, tokens }: Definition, nullable: boolean): string {
  if (!nullable) return `${sql} not null`
  const at = tokens.findIndex(({ text }, place) => isWord(text, 'not') && isWord(tokens[place + 1]?.text, 'null'))
  if (at < 0) return sql
  const isNamed = isWord(tokens[at - 2]?.text, 'constraint')
  const hasConflict = isWord(tokens[at + 2]?.text, 'on') && isWord(tokens[at + 3]?.text, 'conflict')
  const from = tokens[isNamed ? at - 2 : at] as Token
  const to = tokens[hasConflict ? at + 4 : at + 1] as Token
  return `${sql.slice(0, from.from)}${sql.slice(to.to)}`.trim()
}

/** Whether a constraint of the table is about one of its columns. What it refers to in another table is not one. */
export function isAbout({ sql, tokens }: Definition, column: string): boolean {
  const own = isWord(tokens[0]?.text, 'constraint') ? tokens.slice(2) : tokens
  const list = own.find(({ text }) => text.startsWith('('))
  return list !== undefined && namesIn(sql.slice(list.from + 1, list.to - 1)).includes(column.toLowerCase())
}

/** The names in an expression, in lower case. */
function namesIn(sql: string): string[] {
  return tokensOf(sql).flatMap(({ text }) => {
    if (text.startsWith('(')) return namesIn(text.slice(1, -1))
    return text.startsWith("'") ? [] : [unquoted(text).toLowerCase()]
  })
}

/** Whether a word of a definition is this one, outside of quotes and parentheses. */
export function hasWord({ tokens }: Definition, word: string): boolean {
  return tokens.some(({ text }) => isWord(text, word))
}

/** A name without its quotes. */
function unquoted(text: string): string {
  const quote = text[0]
  if (quote === '[') return text.slice(1, -1)
  if (quote === '"' || quote === '`' || quote === "'") return text.slice(1, -1).replaceAll(quote + quote, quote)
  return text
}

function isWord(text: string | undefined, word: string): boolean {
  return text?.toLowerCase() === word
}

const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[\w$\u0080-\uffff]+|\S/gy

function tokensOf(sql: string): Token[] {
  const tokens: Token[] = []
  let [depth, open] = [0, 0]
  for (let at = 0; at < sql.length; ) {
    TOKEN.lastIndex = at
    const text = TOKEN.exec(sql)?.[0]
    if (text === undefined) {
      at++
      continue
    }
    if (text === '(' && depth++ === 0) open = at
    at += text.length
    if (text === ')') {
      if (--depth === 0) tokens.push({ text: sql.slice(open, at), from: open, to: at })
    } else if (depth === 0 && !/^(--|\/\*)/.test(text)) tokens.push({ text, from: at - text.length, to: at })
  }
  return tokens
}
