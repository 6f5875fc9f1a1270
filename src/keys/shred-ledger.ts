import { Buffer } from 'node:buffer'
import { createHmac, hash } from 'node:crypto'
import { equalBytes, lengthPrefixed, wipe } from '../bytes.ts'
import { hkdfExpand, labels } from '../crypto/kdf.ts'
import { KeyStoreError } from '../errors.ts'
import type { KeyRecord, KeyState, KeyStore, ShredEntry, ShredLedger } from '../key-store.ts'
import { refused } from './record.ts'

const ID = /^[0-9a-f]{32}$/
const DIGEST = /^[0-9a-f]{64}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const START = '0'.repeat(64)
const PAGE = 1000
/** A shredded key in one of these states cannot be used: the shredding is done, or waits to be finished. */
const GONE: readonly KeyState[] = ['destroyed', 'destroy_scheduled']

/** What an entry says of a key. */
export type ShredStatement = Pick<ShredEntry, 'at' | 'store' | 'keyId'>

/** The proof of an entry, made with the key that it names. Specification section 4.7. */
export function shredProof(secret: Uint8Array, { at, store, keyId }: ShredStatement): string {
  const key = hkdfExpand(secret, labels.shred, 32)
  try {
    return createHmac('sha256', key)
      .update(lengthPrefixed([labels.shred, store, keyId, at]))
      .digest('hex')
  } finally {
    wipe(key)
  }
}

/** Whether the named key itself made an entry. */
export function isProven(secret: Uint8Array, entry: ShredEntry): boolean {
  return equalBytes(Buffer.from(shredProof(secret, entry), 'hex'), Buffer.from(entry.proof, 'hex'))
}

/** The entries that follow `last`. */
export function nextShredEntries(
  last: ShredEntry | undefined,
  statements: readonly (ShredStatement & { readonly proof: string })[],
): ShredEntry[] {
  let { seq, hash: previous } = last ?? { seq: 0, hash: START }
  return statements.map(({ at, store, keyId, proof }) => {
    seq++
    const unsigned = { seq, at, store, keyId, proof, previous }
    previous = entryHash(unsigned)
    return { ...unsigned, hash: previous }
  })
}

/** Reads a ledger from its start, its chain checked, and then what is added to it. */
export class ShredLedgerReader {
  readonly #ledger: ShredLedger
  #last: ShredEntry | undefined

  constructor(ledger: ShredLedger) {
    this.#ledger = ledger
  }

  /** The last entry that was read. */
  get last(): ShredEntry | undefined {
    return this.#last
  }

  /** The entries behind the last that was read. @throws KeyStoreError `corrupt` when one was changed or is missing */
  async read(): Promise<ShredEntry[]> {
    const entries: ShredEntry[] = []
    for (;;) {
      const page = await this.#ledger.read(this.#last?.seq ?? 0, PAGE)
      for (const entry of page) {
        const { seq, hash: previous } = this.#last ?? { seq: 0, hash: START }
        if (
          !isEntry(entry) ||
          entry.seq !== seq + 1 ||
          entry.previous !== previous ||
          entryHash(entry) !== entry.hash
        ) {
          throw new KeyStoreError('corrupt', `the shred ledger (${this.#ledger.name}) was changed at entry ${seq + 1}`)
        }
        entries.push(entry)
        this.#last = entry
      }
      if (page.length < PAGE) return entries
    }
  }
}

/** Every entry of a ledger, its chain checked. @throws KeyStoreError `corrupt` when it was changed or an entry is missing */
export async function readShredLedger(ledger: ShredLedger): Promise<ShredEntry[]> {
  return new ShredLedgerReader(ledger).read()
}

/** A shredded key that is back in the key store, with its entry. */
export interface RestoredKey {
  readonly entry: ShredEntry
  readonly record: KeyRecord
}

/**
 * Shredded keys of this Strongroom that an old copy of the store brought back. One read for 1,000 entries.
 *
 * @param gone states that do not count as being back
 */
export async function restoredKeys(
  ledger: ShredLedger,
  store: Pick<KeyStore, 'get'>,
  name: string,
  gone: readonly KeyState[],
): Promise<RestoredKey[]> {
  const entries = (await readShredLedger(ledger)).filter((entry) => entry.store === name)
  const restored: RestoredKey[] = []
  for (let at = 0; at < entries.length; at += PAGE) {
    const page = new Map(entries.slice(at, at + PAGE).map((entry) => [entry.keyId, entry]))
    for (const record of await store.get([...page.keys()])) {
      const entry = page.get(record.id)
      if (entry !== undefined && !gone.includes(record.state)) restored.push({ entry, record })
    }
  }
  return restored
}

/** Refuses a store that brings shredded keys back. @throws KeyRecordError `rollback` */
export async function assertNoneRestored(
  ledger: ShredLedger | undefined,
  store: Pick<KeyStore, 'get'>,
  name: string,
): Promise<void> {
  if (ledger === undefined) return
  const restored = await restoredKeys(ledger, store, name, GONE)
  const [first] = restored
  if (first === undefined) return
  const others = restored.length === 1 ? '' : `, and ${restored.length - 1} others`
  throw refused(
    first.record.id,
    'rollback',
    `it was shredded at ${first.entry.at} and is back${others}: an older copy of the store was put back; run \`strongroom shred --replay\``,
  )
}

function entryHash(entry: Omit<ShredEntry, 'hash'>): string {
  const { seq, at, store, keyId, proof, previous } = entry
  return hash('sha256', lengthPrefixed([labels.shred, String(seq), at, store, keyId, proof, previous]), 'hex')
}

function isEntry(entry: ShredEntry | null): boolean {
  return (
    typeof entry === 'object' &&
    entry !== null &&
    Number.isSafeInteger(entry.seq) &&
    matches(entry.at, TIME) &&
    typeof entry.store === 'string' &&
    matches(entry.keyId, ID) &&
    matches(entry.proof, DIGEST) &&
    matches(entry.previous, DIGEST) &&
    matches(entry.hash, DIGEST)
  )
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value)
}
