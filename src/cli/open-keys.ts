import { defineStrongroom, type StrongroomConfig } from '../config.ts'
import { EventHub } from '../events.ts'
import { systemClock } from '../keys/clock.ts'
import { KeyManager } from '../keys/key-manager.ts'
import { Keyring } from '../keys/keyring.ts'
import { kmsGroup } from '../keys/kms-group.ts'
import { findConfig, loadConfig } from './load-config.ts'
import type { Command } from './vendor.ts'

const LEASE_MS = 300_000
const REFRESH_MS = 30_000

/** The configuration that a command was called for. @throws CommandError, ConfigError */
export async function commandConfig(command: Command): Promise<StrongroomConfig> {
  const path = findConfig(process.cwd(), command.optsWithGlobals<{ config?: string }>().config)
  return defineStrongroom((await loadConfig(path)) as StrongroomConfig)
}

/**
 * Runs `work` with the keys of a configuration, and closes everything when it ends. Makes no key and loads none but root
 * keys: a key that is suspended or destroyed must not keep the operator out.
 *
 * @param init make the first root key of an empty store
 * @param restored open a store that brings shredded keys back, to shred them again
 */
export async function withKeys<Result>(
  config: StrongroomConfig,
  work: (keys: KeyManager) => Promise<Result>,
  { init = false, restored = false }: { init?: boolean; restored?: boolean } = {},
): Promise<Result> {
  const { name, store, anchor, shredLedger } = config
  const providers = 'wrap' in config.kms ? [config.kms] : config.kms
  const events = new EventHub()
  if (config.onEvent !== undefined) events.on('*', config.onEvent)
  const kms = kmsGroup({ ...config.resilience, providers, events })
  const parts = { name, store, kms, events, clock: systemClock }
  const lease = { ttl: LEASE_MS, grace: 0 }
  const keyring = new Keyring({
    ...parts,
    lease,
    maxKeys: 1000,
    refreshInterval: REFRESH_MS,
    anchor,
    ...(restored ? {} : { shredLedger }),
  })
  try {
    const keys = new KeyManager({ ...parts, keyring, shredLedger })
    if (!init) await keyring.open()
    return await work(keys)
  } finally {
    keyring.close()
    await Promise.allSettled([kms.close(), store.close?.()])
  }
}
