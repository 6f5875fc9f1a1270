import { type ConformanceCase, casesOf } from './conformance-case.ts'
import { commitPromises } from './key-store-commits.ts'
import { concurrencyPromises } from './key-store-concurrency.ts'
import type { KeyStoreHarness } from './key-store-harness.ts'
import { readPromises } from './key-store-reads.ts'

/**
 * Every promise of the `KeyStore` contract, for any test runner:
 *
 *     for (const { name, run } of keyStoreConformance(async () => ({ store: await emptyStore() }))) test(name, run)
 *
 * @param make called before each case for an empty store; its `close` is called after
 */
export function keyStoreConformance(make: () => Promise<KeyStoreHarness>): ConformanceCase[] {
  return casesOf(make, { ...readPromises, ...commitPromises, ...concurrencyPromises })
}
