import type { KeyStore } from '../../src/key-store.ts'
import { type ConformanceCase, casesOf } from './conformance-case.ts'
import { commitPromises } from './key-store-commits.ts'
import { concurrencyPromises } from './key-store-concurrency.ts'
import { readPromises } from './key-store-reads.ts'

/** What the suite needs to know about a key store. */
export interface KeyStoreHarness {
  /** Empty. */
  readonly store: KeyStore
  /** A second handle on the same data, as another process would have. Without one, the first is used for both. */
  readonly second?: KeyStore
  /** The most records that one commit may write, where that is less than the contract's 10,000. */
  readonly largestCommit?: number
  readonly close?: () => Promise<void>
}

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
