import type { Client } from 'pg'
import { type DataRow, type Dataset, indexColumn } from './dataset.ts'

const PAGE = 1000

/** The customers table in PostgreSQL, first in plaintext, then encrypted. */
export class Customers {
  readonly #client: Client
  readonly #dataset: Dataset

  constructor(client: Client, dataset: Dataset) {
    this.#client = client
    this.#dataset = dataset
  }

  /** The columns that are encrypted, and the one that holds tags. */
  get stored(): readonly string[] {
    return [...this.#dataset.columns.map((column) => column.name), indexColumn(this.#dataset.search)]
  }

  /** Creates the table as it is found in the wild: everything readable. */
  async create(): Promise<void> {
    const columns = this.#dataset.columns.map(({ name, sql }) => `${quote(name)} ${sql}`)
    await this.#client.query(
      `create table customers (id text primary key, tenant text not null, ${columns.join(', ')})`,
    )
    for (let at = 0; at < this.#dataset.rows.length; at += PAGE) {
      const page = this.#dataset.rows.slice(at, at + PAGE)
      const names = ['id', 'tenant', ...this.#dataset.columns.map((column) => column.name)]
      const types = ['text', 'text', ...this.#dataset.columns.map((column) => column.sql)]
      const casts = types.map((type, n) => `$${n + 1}::${type}[]`)
      const values = names.map((name) => page.map((row) => literal(row[name])))
      await this.#client.query(
        `insert into customers (${names.map(quote).join(', ')}) select * from unnest(${casts.join(', ')})`,
        values,
      )
    }
  }

  /** Makes room for ciphertexts: text columns, and an index column. */
  async widen(): Promise<void> {
    const changes = this.#dataset.columns.map(({ name }) => `alter ${quote(name)} type text`)
    const tag = quote(indexColumn(this.#dataset.search))
    await this.#client.query(`alter table customers ${changes.join(', ')}, add ${tag} text`)
    await this.#client.query(`create index customers_by_tag on customers (tenant, ${tag})`)
  }

  /** Every row, a page at a time, in order of id. */
  async *pages(): AsyncGenerator<DataRow[]> {
    let after = ''
    for (;;) {
      const { rows } = await this.#client.query('select * from customers where id > $1 order by id limit $2', [
        after,
        PAGE,
      ])
      if (rows.length > 0) yield rows
      if (rows.length < PAGE) return
      after = rows.at(-1).id
    }
  }

  /** Writes rows back, but only where nobody changed them meanwhile. @returns how many were written */
  async replace(before: readonly DataRow[], after: readonly DataRow[]): Promise<number> {
    const guard = quote(this.#dataset.search)
    const sets = this.stored.map((name, n) => `${quote(name)} = new.c${n}`)
    const names = this.stored.map((_, n) => `c${n}`)
    const arrays = this.stored.map((_, n) => `$${n + 3}::text[]`)
    const { rowCount } = await this.#client.query(
      `update customers set ${sets.join(', ')} from unnest($1::text[], $2::text[], ${arrays.join(', ')})
         as new(id, old, ${names.join(', ')})
       where customers.id = new.id and customers.${guard} is not distinct from new.old`,
      [
        before.map((row) => row.id),
        before.map((row) => row[this.#dataset.search]),
        ...this.stored.map((name) => after.map((row) => row[name])),
      ],
    )
    return rowCount ?? 0
  }

  async get(id: string): Promise<DataRow> {
    return (await this.#client.query('select * from customers where id = $1', [id])).rows[0]
  }

  /** Rows of a tenant under these tags, and what the database did to find them. */
  async find(tenant: string, tags: readonly unknown[]): Promise<{ rows: DataRow[]; plan: string; touched: number }> {
    const sql = `select * from customers where tenant = $1 and ${quote(indexColumn(this.#dataset.search))} = any($2::text[])`
    const explained = await this.#client.query(`explain (analyze, format json) ${sql}`, [tenant, tags])
    const { rows } = await this.#client.query(sql, [tenant, tags])
    const [plan] = explained.rows[0]['QUERY PLAN']
    return {
      rows,
      plan: describePlan(plan.Plan),
      touched: plan.Plan['Actual Rows'] + (plan.Plan['Rows Removed by Filter'] ?? 0),
    }
  }

  /** Rows by the key that their search column names, read from the first characters alone: nothing is decrypted. */
  async census(): Promise<Map<string, number>> {
    const { rows } = await this.#client.query(
      `select left(${quote(this.#dataset.search)}, 26) as prefix, count(*)::int as count from customers group by 1`,
    )
    return new Map(rows.map((row) => [row.prefix, row.count]))
  }

  /** Rewrites the table so that no old version of a row is left in its files, and returns where they are. */
  async files(): Promise<{ folder: string; file: string; bytes: number }> {
    await this.#client.query('vacuum full customers')
    await this.#client.query('checkpoint')
    const { rows } = await this.#client.query(
      `select current_setting('data_directory') as folder, pg_relation_filepath('customers') as file,
              pg_relation_size('customers')::int as bytes`,
    )
    return rows[0]
  }
}

function describePlan(plan: { 'Node Type': string; 'Index Name'?: string; Plans?: [never] }): string {
  const child = plan.Plans?.[0] as Parameters<typeof describePlan>[0] | undefined
  const own = plan['Index Name'] === undefined ? plan['Node Type'] : `${plan['Node Type']} on ${plan['Index Name']}`
  return child === undefined ? own : `${own} over ${describePlan(child)}`
}

function literal(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString().slice(0, 10)
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
