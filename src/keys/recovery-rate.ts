/**
 * Spreads calls out after an outage, so that everybody who waited does not call at once: at most `perSecond` calls
 * start per second until `lengthMs` have passed since the service was last down.
 */
export class RecoveryRate {
  readonly #gapMs: number
  readonly #lengthMs: number
  #until = 0
  #nextSlot = 0

  constructor(perSecond: number, lengthMs: number) {
    this.#gapMs = 1000 / perSecond
    this.#lengthMs = lengthMs
  }

  /** The service is down at this moment. */
  restart(now: number): void {
    this.#until = now + this.#lengthMs
  }

  /**
   * Takes the next slot.
   *
   * @param now milliseconds, monotonic
   * @param patienceMs how long the caller can wait
   * @returns milliseconds to wait, 0 in normal times, or undefined when no slot is free in time, and then none is taken
   */
  take(now: number, patienceMs: number): number | undefined {
    if (now >= this.#until) return 0
    const slot = Math.max(now, this.#nextSlot)
    if (slot - now > patienceMs) return undefined
    this.#nextSlot = slot + this.#gapMs
    return slot - now
  }
}
