import { endOf, type SqlText, startOf } from './sql-text.ts'

/** A name in SQL text, quoted or not. */
export const NAME = '(?:"[^"]+"|`[^`]+`|\\w+)'

const NO_ALIAS =
  'where|on|using|set|values|left|right|inner|outer|full|cross|natural|join|order|group|limit|having|union|for|returning|select|default'
const ITEM = `(?:${NAME}\\.)*(${NAME})(?:\\s+(?:as\\s+)?(?!(?:${NO_ALIAS})\\b)(${NAME}))?`
const SOURCE = new RegExp(`\\b(from|join|update|into|using)\\s+(?:only\\s+)?${ITEM}`, 'gi')
/** A further table of a list: what is called, and what comes from a subquery, is none. */
const FURTHER = new RegExp(`\\s*,\\s*${ITEM}(?![\\w"\`.]|\\s*\\()`, 'iy')
const TABLE_EXPRESSION = new RegExp(
  `(?:\\bwith(?:\\s+recursive)?\\s|,)\\s*(${NAME})\\s*(?:\\([^()]*\\)\\s*)?as\\s+(?:not\\s+)?(?:materialized\\s*)?\\(`,
  'gi',
)

/** What a query calls the rows that it reads. */
export interface SourceNames {
  /** Of a table, also where they come through common table expressions. */
  readonly ours: ReadonlySet<string>
  /** Of all other tables. */
  readonly others: ReadonlySet<string>
}

/** The names and aliases that stand for the rows of a table, and those that stand for others. */
export function sourceNames({ names, bare }: Pick<SqlText, 'names' | 'bare'>, table: string): SourceNames {
  const tables = new Set([table])
  for (const found of names.matchAll(TABLE_EXPRESSION)) {
    const from = found.index + found[0].length
    const body = names.slice(from, endOf(bare, from))
    if ([...tables].some((name) => isNamed(body, { table: name }))) tables.add(bareName(found[1] as string))
  }
  const ours = new Set(tables)
  const others = new Set<string>()
  const add = (isSource: boolean, name: string, alias = name) => {
    if (tables.has(bareName(name))) ours.add(bareName(alias))
    else if (isSource) others.add(bareName(alias))
  }
  for (const { index, 0: found, 1: word, 2: name, 3: alias } of names.matchAll(SOURCE)) {
    const isSource = SOURCE_WORDS[(word as string).toLowerCase()]?.(bare, index) ?? true
    add(isSource, name as string, alias)
    FURTHER.lastIndex = index + found.length
    for (let next = FURTHER.exec(names); next !== null; next = FURTHER.exec(names))
      add(isSource, next[1] as string, next[2])
  }
  // Without quotes, databases take a name in other letters for the same.
  const known = new Set([...ours].map((name) => name.toLowerCase()))
  return { ours, others: new Set([...others].filter((name) => !known.has(name.toLowerCase()))) }
}

/** Words that do not always stand before a table: in `is distinct from`, `extract(… from …)`, `for update of`, `do update set`. */
const SOURCE_WORDS: Readonly<Record<string, (bare: string, at: number) => boolean>> = {
  from: (bare, at) => !isBehind(bare, at, 'distinct') && isOfStatement(bare, at),
  using: isOfStatement,
  update: (bare, at) => !isBehind(bare, at, 'for|key|do|on'),
}

function isBehind(bare: string, at: number, words: string): boolean {
  return new RegExp(`\\b(?:${words})\\s+$`, 'i').test(bare.slice(Math.max(0, at - 40), at))
}

function isOfStatement(bare: string, at: number): boolean {
  const open = startOf(bare, at)
  return open < 0 || /^\s*(?:select|with|delete|update)\b/i.test(bare.slice(open + 1, open + 200))
}

/** Whether a text has the name of the table, in whatever spelling. */
export function isNamed(text: string, { table }: { readonly table: string }): boolean {
  return new RegExp(`(?<!\\w)["\`]?${escaped(table)}["\`]?(?!\\w)`, 'i').test(text)
}

/** A name without its quotes. */
export function bareName(name: string): string {
  return name.replace(/^["`]|["`]$/g, '')
}

export function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
