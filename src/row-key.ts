/** A primary key: the database's own text of each of its columns, in the order of the key. Safe as JSON. */
export type RowKey = readonly string[]
