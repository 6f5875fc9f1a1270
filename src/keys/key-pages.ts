import type { KeyQuery, KeyRecord, KeyStore } from '../key-store.ts'

/** Records in a page at most: what a key store gives at once. */
export const PAGE = 1000

/**
 * Every record that matches, in order of id, a page at a time. The next page is read when the one before was dealt with.
 *
 * @throws KeyStoreError
 */
export async function* keyPages(
  store: Pick<KeyStore, 'list'>,
  query: Omit<KeyQuery, 'after' | 'limit'>,
  limit: number = PAGE,
): AsyncGenerator<KeyRecord[], void> {
  for (let after: string | undefined; ; ) {
    const page = await store.list({ ...query, limit, ...(after !== undefined && { after }) })
    yield page
    after = page.at(-1)?.id
    if (page.length < limit) return
  }
}
