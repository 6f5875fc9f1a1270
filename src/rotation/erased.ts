import { assertArray, assertObject, assertText, assertWhole } from '../bytes.ts'
import type { ShreddedKey } from '../keys/shred-keys.ts'
import type { ClearedTable } from './clear-tags.ts'

/** What a receipt says was erased, and what was not. */
interface Erased {
  readonly scope: string
  readonly keys: readonly ShreddedKey[]
  readonly tables: readonly ClearedTable[]
  readonly unseen: readonly string[]
}

/** Refuses what is no receipt: one that counts nothing would say that nothing is left. @throws InvalidInputError */
export function assertErased({ scope, keys, tables, unseen }: Erased): void {
  assertText(scope, 'scope')
  assertArray(keys, 'keys')
  for (const key of keys) {
    assertObject(key, 'each of keys')
    if (key.destroyedAt !== null) assertText(key.destroyedAt, 'destroyedAt')
  }
  assertArray(tables, 'tables')
  for (const cleared of tables) {
    assertObject(cleared, 'each of tables')
    for (const name of ['rows', 'readable', 'left'] as const) {
      assertWhole(cleared[name], name, 0, Number.MAX_SAFE_INTEGER)
    }
    assertArray(cleared.kept, 'kept')
  }
  assertArray(unseen, 'unseen')
  for (const name of unseen) assertText(name, 'each of unseen')
}
