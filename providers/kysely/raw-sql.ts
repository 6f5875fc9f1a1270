import { InvalidInputError } from '../../src/errors.ts'
import { assertLegibleNames } from '../../src/mapping/legible-names.ts'
import { asNode, columnOf, type Node, nameOf, tableOf, walk } from './nodes.ts'
import type { RecordsByTable, Source } from './sources.ts'

/** The text of raw SQL with the names that are put into it; columns of a table, values and subqueries are left out. */
export function textOf(raw: Node): string {
  const parts = (raw.parameters as readonly Node[]).map(nameIn)
  return (raw.sqlFragments as readonly string[]).map((text, at) => `${text}${parts[at] ?? ''}`).join('')
}

function nameIn(node: Node): string {
  if (node.kind === 'RawNode') return textOf(node)
  if (node.kind === 'IdentifierNode') return nameOf(node)
  if (node.kind === 'SchemableIdentifierNode') return nameOf(node.identifier)
  if (node.kind === 'TableNode') return tableOf(node)
  const named = columnOf(node)
  return named !== undefined && named.table === undefined ? named.column : ' '
}

/** Whether SQL text mentions a name. */
export function mentions(text: string, name: string): boolean {
  return new RegExp(`(^|[^\\w$])${escaped(name)}([^\\w$]|$)`, 'i').test(text)
}

/**
 * Refuses raw SQL, wherever it stands in a query, that names the table of a record, or a whole row of one.
 *
 * @throws InvalidInputError
 */
export function assertRawParts(query: Node, sources: readonly Source[], records: RecordsByTable): void {
  walk(query, (node) => {
    if (node.kind !== 'RawNode') return undefined
    const text = textOf(node)
    assertLegibleNames(text)
    const table = [...records.keys()].find((name) => mentionsWhole(text, name))
    if (table !== undefined) throw passes(table)
    // Every column there is, without a name of one.
    const [first] = sources
    if (first !== undefined && /(?:^|,|\b(?:select|all|distinct|returning)\b)\s*\*/i.test(text))
      throw passes(first.record.name)
    const source = sources.find(({ alias }) => mentionsWhole(text, alias))
    if (source !== undefined) throw passes(source.record.name)
    return undefined
  })
}

/** Refuses a query that is raw SQL and names the table of a record. @throws InvalidInputError */
export function assertRaw(query: Node, records: RecordsByTable): void {
  const texts: string[] = []
  walk(query, (node) => {
    if (node.kind === 'RawNode') texts.push(textOf(node))
    if (node.kind === 'IdentifierNode') texts.push(asNode(node).name as string)
    return undefined
  })
  for (const text of texts) assertLegibleNames(text)
  const table = [...records.keys()].find((name) => texts.some((text) => mentions(text, name)))
  if (table !== undefined) throw passes(table)
}

/** Whether SQL text mentions a table: `t` or `t.*`, and not `t.column`, whose column is looked at by its name. */
function mentionsWhole(text: string, name: string): boolean {
  return new RegExp(`(^|[^\\w$])${escaped(name)}(?![\\w$])(?!["\`\\]]?\\s*\\.\\s*["\`\\[]?[\\p{L}_])`, 'iu').test(text)
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function passes(table: string): InvalidInputError {
  return new InvalidInputError(
    `SQL of your own on ${table} passes the encryption: run it on \`db.withoutPlugins()\`, encrypt what it writes with the record, and decrypt what it reads with decryptRows()`,
  )
}
