import { Buffer } from 'node:buffer'
import { equalBytes, wipe } from '../bytes.ts'
import { EventHub } from '../events.ts'
import { type KeyPurpose, type KeyRecord, type KeyStore, LOCAL_PURPOSES } from '../key-store.ts'
import { systemClock } from '../keys/clock.ts'
import { Keyring } from '../keys/keyring.ts'
import { kmsGroup } from '../keys/kms-group.ts'
import { commitmentOf, rootContext, wrappedKeys } from '../keys/record.ts'
import { mayRewrapRoot } from '../keys/states.ts'
import type { KmsProvider } from '../kms.ts'
import { AgeCheck, type MaxAgeDays } from './ages.ts'
import { type Finding, finding, messageOf } from './finding.ts'
import { failed, subjectOf, unwrapped } from './kms.ts'
import { sentinelOpens } from './sentinel.ts'

const PAGE = 1000
const MAX_NAMED = 5
const LEASE_MS = 600_000

/** What the keys are examined with. */
export interface KeysExamination {
  readonly name: string
  readonly store: KeyStore
  readonly providers: readonly KmsProvider[]
  readonly maxAgeDays: MaxAgeDays
  /** Active keys of each purpose to open at most. */
  readonly maxKeys: number
  readonly now: Date
  /** After so many ms a call counts as failed. */
  readonly timeoutMs: number
}

/** Opens the keyring as an application does, then every active key, and looks at wraps and ages. */
export async function examineKeys(options: KeysExamination): Promise<Finding[]> {
  const { name, store, providers } = options
  const events = new EventHub()
  const kms = kmsGroup({ providers, events })
  const lease = { ttl: LEASE_MS, grace: 0 }
  const parts = { name, store, kms, events, clock: systemClock, lease, maxKeys: 1, refreshInterval: LEASE_MS }
  const keyring = new Keyring(parts)
  try {
    const start = performance.now()
    const opening = await keyring.open().then(
      () =>
        finding('keys.root', name, 'ok', 'the root key opens and the key log is whole', {
          ms: performance.now() - start,
        }),
      (error: unknown) => finding('keys.root', name, 'problem', messageOf(error)),
    )
    if (opening.status !== 'ok') return [opening]
    const ages = new AgeCheck(options.maxAgeDays, options.now)
    const roots = await examineRoots(options, ages)
    const purposes: Finding[] = []
    for (const purpose of LOCAL_PURPOSES) {
      purposes.push(...(await examinePurpose(options, keyring, purpose, ages)))
    }
    return [opening, ...roots, ...recovery(options), ...purposes, ...ages.findings()]
  } catch (error) {
    return [finding('keys.root', name, 'problem', messageOf(error))]
  } finally {
    keyring.close()
  }
}

/** Every configured KMS must open every root key that still wraps something: that is what several of them are for. */
async function examineRoots({ store, providers, timeoutMs }: KeysExamination, ages: AgeCheck): Promise<Finding[]> {
  const found: Finding[] = []
  const roots = (await store.list({ purpose: 'root', limit: PAGE })).filter(({ state }) => mayRewrapRoot(state))
  for (const root of roots) {
    if (root.state === 'active') ages.add(root)
    for (const provider of providers) found.push(await examineWrap(root, provider, timeoutMs))
    const orphans = wrappedKeys(root).filter((wrapped) => !providers.some((provider) => provider.accepts(wrapped)))
    for (const { provider, keyId } of orphans) {
      const message = `root key ${root.id} is also wrapped under this key, which is not configured`
      found.push(
        finding('keys.wraps', `${provider} ${keyId}`, 'warning', message, {
          hint: 'rewrap, so that the old KMS key can be retired',
        }),
      )
    }
  }
  return found
}

/** Whether the loss of every KMS would be the loss of everything. */
function recovery({ name, providers }: KeysExamination): Finding[] {
  if (providers.some((provider) => provider.recovery !== undefined)) return []
  const message =
    'there is no recovery key: when every KMS key in the configuration is lost, everything is (`strongroom recovery create`)'
  return [finding('keys.recovery', name, 'skipped', message)]
}

async function examineWrap(root: KeyRecord, provider: KmsProvider, timeoutMs: number): Promise<Finding> {
  const subject = subjectOf(provider)
  const wrapped = wrappedKeys(root).find((candidate) => provider.accepts(candidate))
  if (wrapped === undefined) {
    const message = `root key ${root.id} is not wrapped under it`
    return finding('keys.wraps', subject, 'problem', message, {
      hint: 'rewrap: until then this service cannot stand in',
    })
  }
  if (provider.recovery !== undefined) {
    const message = `root key ${root.id} is wrapped for it; only \`strongroom recovery rehearse\` proves that the shares open it`
    return finding('keys.wraps', subject, 'ok', message)
  }
  const result = await unwrapped(provider, wrapped, rootContext(root), timeoutMs)
  if ('error' in result) return failed('keys.wraps', subject, result)
  const right = equalBytes(commitmentOf(result.value), Buffer.from(root.commitment, 'hex'))
  wipe(result.value)
  return right
    ? finding('keys.wraps', subject, 'ok', `opens root key ${root.id}`, { ms: result.ms })
    : finding('keys.wraps', subject, 'problem', `opens root key ${root.id} as another key`, {
        hint: 'the wrap was replaced: rewrap, and find out who writes to the key store',
      })
}

async function examinePurpose(
  { store, maxKeys }: KeysExamination,
  keyring: Keyring,
  purpose: Exclude<KeyPurpose, 'root'>,
  ages: AgeCheck,
): Promise<Finding[]> {
  const broken: string[] = []
  let opened = 0
  let seen = 0
  let after: string | undefined
  let page: KeyRecord[]
  do {
    const query = { purpose, state: 'active', limit: PAGE, ...(after !== undefined && { after }) } as const
    page = await store.list(query)
    for (const record of page.slice(0, maxKeys - seen)) {
      const fault = await openOne(keyring, record)
      if (fault === undefined) opened++
      else broken.push(fault)
      ages.add(record)
    }
    seen += page.length
    after = page.at(-1)?.id
  } while (page.length === PAGE && seen < maxKeys)
  if (seen === 0) return []
  const found = broken.slice(0, MAX_NAMED).map((message) => finding('keys.sentinel', purpose, 'problem', message))
  const rest = broken.length - found.length
  if (rest > 0) found.push(finding('keys.sentinel', purpose, 'problem', `${rest} more keys do not open`))
  const left = seen > maxKeys || page.length === PAGE
  const more = left ? `; those behind the first ${maxKeys} were not opened` : ''
  if (opened > 0) {
    const message = `${opened} active ${opened === 1 ? 'key opens and gives' : 'keys open and give'} a known value back${more}`
    found.push(finding('keys.sentinel', purpose, 'ok', message))
  }
  return found
}

/** @returns what is wrong with it */
async function openOne(keyring: Keyring, candidate: KeyRecord): Promise<string | undefined> {
  try {
    const record = await keyring.verified(candidate)
    const root = await keyring.root(record.parent as string)
    return sentinelOpens(root, record) ? undefined : `key ${record.id} does not give a known value back`
  } catch (error) {
    return messageOf(error)
  }
}
