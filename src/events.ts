import type { KeyPurpose, KeyState } from './key-store.ts'

/** What a key did, for audit and metrics. No event carries a secret, a plaintext or a ciphertext. */
export type StrongroomEvent =
  | {
      readonly type: 'key.used'
      readonly operation: 'encrypt' | 'decrypt' | 'index'
      readonly keyId: string
      readonly purpose: KeyPurpose
      readonly table?: string
      readonly column?: string
      readonly row?: string
    }
  | {
      readonly type: 'decrypt.failed'
      readonly keyId?: string
      readonly table?: string
      readonly column?: string
      readonly row?: string
    }
  | { readonly type: 'plaintext.read'; readonly table: string; readonly column: string; readonly row: string }
  | { readonly type: 'key.loaded'; readonly keyId: string; readonly purpose: KeyPurpose; readonly scope: string }
  | { readonly type: 'key.evicted'; readonly keyId: string; readonly why: 'capacity' | 'expired' | 'state' | 'closed' }
  | { readonly type: 'key.missed'; readonly keyId?: string; readonly scope?: string }
  | {
      readonly type: 'key.changed'
      readonly keyId: string
      readonly purpose: KeyPurpose
      readonly scope: string
      readonly action: string
      readonly state: KeyState
    }
  /** Somebody wanted to decrypt under a retired key: something still needs it. */
  | { readonly type: 'key.denied'; readonly keyId: string; readonly state: KeyState }
  | { readonly type: 'key.refused'; readonly keyId: string; readonly fault: string }
  | {
      readonly type: 'kms.called'
      readonly provider: string
      readonly operation: 'wrap' | 'unwrap'
      readonly ms: number
    }
  | {
      readonly type: 'kms.failed'
      readonly provider: string
      readonly operation: 'wrap' | 'unwrap'
      readonly kind: string
      readonly ms: number
    }
  /** A key was wrapped without this service, as `minWraps` allows: rewrap adds what is missing. */
  | { readonly type: 'kms.missing'; readonly provider: string; readonly keyId: string; readonly kind: string }
  | { readonly type: 'keyring.refreshed'; readonly root: string; readonly validForMs: number }
  | {
      readonly type: 'keyring.refresh-failed'
      readonly root: string
      readonly code: string
      readonly validForMs: number
    }
  | { readonly type: 'anchor.failed'; readonly seq: number }
  | { readonly type: 'keyring.grace'; readonly root: string; readonly remainingMs: number }

/** The names of all events. */
export type EventType = StrongroomEvent['type']

/** The event with this name. */
export type EventOf<Type extends EventType> = Extract<StrongroomEvent, { type: Type }>

/** Hands events to listeners at once. A listener that throws, at once or later, is reported as a process warning and stops nobody. */
export class EventHub {
  readonly #listeners = new Map<EventType | '*', Set<(event: never) => unknown>>()

  /** Whether anybody listens to `type`: asked first on hot paths, so that an event nobody wants is never made. */
  wants(type: EventType): boolean {
    return this.#listeners.size > 0 && (this.#listeners.has(type) || this.#listeners.has('*'))
  }

  /** @returns a function that ends the subscription */
  on<Type extends EventType>(type: Type, listener: (event: EventOf<Type>) => void): () => void
  on(type: '*', listener: (event: StrongroomEvent) => void): () => void
  on(type: EventType | '*', listener: (event: never) => void): () => void {
    const set = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, set.add(listener))
    return () => {
      set.delete(listener)
      if (set.size === 0) this.#listeners.delete(type)
    }
  }

  emit(event: StrongroomEvent): void {
    if (this.#listeners.size === 0) return
    for (const type of [event.type, '*'] as const) {
      for (const listener of this.#listeners.get(type) ?? []) {
        try {
          const done: unknown = listener(event as never)
          if (done instanceof Promise) done.catch((error) => warn(event, error))
        } catch (error) {
          warn(event, error)
        }
      }
    }
  }
}

/** Says which listener failed and how, but not what it said: that may hold what the application keeps secret. */
function warn(event: StrongroomEvent, error: unknown): void {
  process.emitWarning(`a listener for ${event.type} threw ${error instanceof Error ? error.name : typeof error}`)
}
