import { endOf, type SqlText } from './sql-text.ts'

/** A name in SQL text, quoted or not. */
export const NAME = '(?:"[^"]+"|`[^`]+`|\\w+)'

const NO_ALIAS =
  'where|on|using|set|values|left|right|inner|outer|full|cross|natural|join|order|group|limit|having|union|for|returning|select|default'
const SOURCE = new RegExp(
  `\\b(?:from|join|update|into)\\s+(?:${NAME}\\.)*(${NAME})(?:\\s+(?:as\\s+)?(?!(?:${NO_ALIAS})\\b)(${NAME}))?`,
  'gi',
)
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
  for (const [, name, alias] of names.matchAll(SOURCE)) {
    const source = bareName(name as string)
    const known = alias === undefined ? source : bareName(alias)
    if (tables.has(source)) ours.add(known)
    else others.add(known)
  }
  for (const name of ours) others.delete(name)
  return { ours, others }
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
