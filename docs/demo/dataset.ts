import { date, type Field, json, text } from 'strongroom'

/** A table to protect: its columns, and rows of plaintext. Every row has `id` and `tenant`. */
export interface Dataset {
  readonly title: string
  readonly columns: readonly DataColumn[]
  readonly rows: readonly DataRow[]
  /** The column that the demonstration searches by. */
  readonly search: string
}

export interface DataColumn {
  readonly name: string
  /** Its type while it is plaintext. */
  readonly sql: 'text' | 'date' | 'jsonb'
  /** How it is encrypted. */
  readonly field: (index: boolean) => Field
}

export type DataRow = { readonly id: string; readonly tenant: string } & Readonly<Record<string, unknown>>

/** A column of text, with a blind index when it is the one searched by. */
export function textColumn(name: string, rows: number, transform: 'email' | 'exact' = 'exact'): DataColumn {
  const column = indexColumn(name)
  return {
    name,
    sql: 'text',
    field: (index) => text(index ? { nullable: true, index: { column, transform, rows } } : { nullable: true }),
  }
}

export const dateColumn = (name: string): DataColumn => ({ name, sql: 'date', field: () => date() })
export const jsonColumn = (name: string): DataColumn => ({ name, sql: 'jsonb', field: () => json() })

/** The column that holds the tags of another. */
export function indexColumn(name: string): string {
  return `${name}_index`
}
