import type { KeyStore } from '../key-store.ts'
import { CommandError } from './output.ts'

/** The SQL that makes the tables of a key store, for whoever may create tables. @throws CommandError when it has none */
export function keyTablesSql(store: KeyStore): string {
  return tablesOf(store).sql().trimEnd()
}

/** Makes the tables of a key store where they do not exist. @returns whether it made them @throws CommandError when it has none */
export function makeKeyTables(store: KeyStore): Promise<boolean> {
  return tablesOf(store).create()
}

function tablesOf({ name, tables }: KeyStore) {
  if (tables === undefined) throw new CommandError(`the key store (${name}) has no tables to make`)
  return tables
}
