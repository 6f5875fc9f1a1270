/** How the text of a key is written and read in the type of its column, so that it is compared as that type and finds it in the index. */
export interface KeyType {
  /** The text of a column, as SQL. */
  textOf(column: string): string
  /** The value of a text (as SQL, `utf8mb4`), as SQL. */
  valueOf(text: string): string
}

const asText = (column: string) => `cast(${column} as char character set utf8mb4)`
const cast = (type: string): KeyType => ({ textOf: asText, valueOf: (text) => `cast(${text} as ${type})` })
const BYTES: KeyType = { textOf: (column) => `hex(${column})`, valueOf: (text) => `unhex(${text})` }

const WHOLE = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'year'])
const TEXTS = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext'])
const BINARY = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob'])

/**
 * How the values of a column travel as text; undefined for a type whose text does not tell two values apart, or whose order is
 * not that of its values.
 */
export function keyType({ base, type, charset, collation, decimals }: CatalogueType): KeyType | undefined {
  if (WHOLE.has(base)) return cast(/unsigned|year/.test(type) ? 'unsigned' : 'signed')
  if (TEXTS.has(base)) {
    return {
      textOf: (name) => `convert(${name} using utf8mb4)`,
      valueOf: (text) => `convert(${text} using ${charset}) collate ${collation}`,
    }
  }
  if (BINARY.has(base)) return BYTES
  if (base === 'decimal') return cast(type.replace(/ .*/, ''))
  if (base === 'date' || base === 'uuid') return cast(base)
  // A timestamp is one moment in the session, whose time zone is UTC.
  if (base === 'datetime' || base === 'timestamp') return cast(`datetime(${decimals})`)
  if (base === 'time') return cast(`time(${decimals})`)
  return undefined
}

/** What the catalogue says of a column. */
export interface CatalogueType {
  /** Without width. */
  readonly base: string
  readonly type: string
  readonly charset: string | null
  readonly collation: string | null
  /** Digits behind the second. */
  readonly decimals: number
}
