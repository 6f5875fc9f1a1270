import type { KyselyPlugin, QueryId, RootOperationNode } from 'kysely'
import { column, nameOf } from './nodes.ts'

/** What a plugin that renames columns makes of their names. */
export class Names {
  readonly #plugin: KyselyPlugin
  readonly #results = new Map<string, string>()

  constructor(plugin: KyselyPlugin) {
    this.#plugin = plugin
  }

  /** The name that a column of the database has in results. */
  async inResults(name: string): Promise<string> {
    const known = this.#results.get(name)
    if (known !== undefined) return known
    const queryId: QueryId = { queryId: 'strongroom-names' }
    const node = this.#plugin.transformQuery({ node: column(name) as unknown as RootOperationNode, queryId })
    const stored = nameOf((node as unknown as { column: unknown }).column)
    const { rows } = await this.#plugin.transformResult({ result: { rows: [{ [stored]: null }] }, queryId })
    const named = Object.keys(rows[0] ?? {})[0] ?? name
    this.#results.set(name, named)
    return named
  }
}
