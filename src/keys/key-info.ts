import type { KeyPurpose, KeyRecord, KeyState } from '../key-store.ts'
import { describeScope } from './scope.ts'

/** A key as people and programs see it. Nothing in it is secret. */
export interface KeyInfo {
  readonly id: string
  readonly purpose: KeyPurpose
  /** In words, for example `tenant=acme`; a subject is shown as its hash. */
  readonly scope: string
  /** 1, 2, 3, …: the keys of one purpose and scope, in order. */
  readonly generation: number
  readonly state: KeyState
  readonly stateAt: Date
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly reason: string | null
  /** One more with every change of the record. */
  readonly rev: number
  /** The root key that wraps it; null for a root key. */
  readonly parent: string | null
  /** What it is wrapped under; empty once it is destroyed. */
  readonly wraps: readonly { readonly provider: string; readonly keyId: string; readonly wrappedAt: Date }[]
}

/** What a checked record says. */
export function keyInfo(record: KeyRecord): KeyInfo {
  return {
    id: record.id,
    purpose: record.purpose,
    scope: describeScope(record.scope),
    generation: record.generation,
    state: record.state,
    stateAt: new Date(record.stateAt),
    createdAt: new Date(record.createdAt),
    expiresAt: record.expiresAt === null ? null : new Date(record.expiresAt),
    reason: record.reason,
    rev: record.rev,
    parent: record.parent,
    wraps: record.wraps.map(({ provider, keyId, wrappedAt }) => ({ provider, keyId, wrappedAt: new Date(wrappedAt) })),
  }
}
