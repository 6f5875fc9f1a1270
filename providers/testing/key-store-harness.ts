import type { KeyStore } from '../../src/key-store.ts'

/** What the suite needs to know about a key store. */
export interface KeyStoreHarness {
  /** Empty. */
  readonly store: KeyStore
  /** A second handle on the same data, as another process would have. Without one, the first is used for both. */
  readonly second?: KeyStore
  /** The most records that one commit may write, where that is less than the contract's 10,000. */
  readonly largestCommit?: number
  /** Called after each case. */
  readonly close?: () => Promise<void>
}
