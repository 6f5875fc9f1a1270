import type { Differences } from './differences.ts'
import type { AdapterHarness, AdapterUnderTest } from './harness.ts'
import type { SuiteRooms } from './suite-room.ts'

/** What a case of the suite works with; made anew for each. */
export interface Case {
  readonly under: AdapterUnderTest
  /** The adapter, with the keys of `acme` and `globex` in memory. */
  readonly adapter: AdapterHarness
  readonly rooms: SuiteRooms
  /** Why something is not done here, by its name in the harness. */
  readonly said: Differences['said']
  /** Opens the adapter as another process does, with the keys of these tenants in memory. */
  another(tenants: readonly string[]): Promise<AdapterHarness>
}
