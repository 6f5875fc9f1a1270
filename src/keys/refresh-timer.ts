import type { EventHub } from '../events.ts'
import type { Clock } from './clock.ts'

/** Looks at the key log again and again, about every `interval` ms; a look that fails is reported, and the next one comes all the same. */
export class RefreshTimer {
  readonly #options: { readonly clock: Clock; readonly events: EventHub; readonly refreshInterval: number }
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(options: { clock: Clock; events: EventHub; refreshInterval: number }) {
    this.#options = options
  }

  /**
   * @param refresh one look
   * @param root the id of the active root key, for the report
   */
  start(refresh: () => Promise<void>, root: () => string): void {
    const { clock, events, refreshInterval } = this.#options
    this.#cancel = clock.after(refreshInterval * (0.9 + Math.random() * 0.2), () => {
      refresh()
        .catch((error: unknown) => {
          const code = (error as { code?: string }).code ?? 'ERR_UNKNOWN'
          if (!this.#stopped) events.emit({ type: 'keyring.refresh-failed', root: root(), code, validForMs: 0 })
        })
        .then(() => {
          if (!this.#stopped) this.start(refresh, root)
        })
    })
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }
}
