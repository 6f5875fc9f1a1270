import type { Pkcs11Handle } from './module.ts'

/**
 * Sessions of a token, opened when needed up to a limit. A session does one operation at a time, so each task has one
 * to itself; a session in which a task failed is closed, because an operation may still be going on in it.
 */
export class SessionPool {
  readonly #limit: number
  readonly #open: () => Promise<Pkcs11Handle>
  readonly #close: (session: Pkcs11Handle) => Promise<void>
  readonly #idle: Pkcs11Handle[] = []
  readonly #waiting: (() => void)[] = []
  #taken = 0
  #closed = false

  constructor(limit: number, open: () => Promise<Pkcs11Handle>, close: (session: Pkcs11Handle) => Promise<void>) {
    this.#limit = limit
    this.#open = open
    this.#close = close
  }

  async use<Result>(task: (session: Pkcs11Handle) => Promise<Result>): Promise<Result> {
    if (this.#taken < this.#limit) this.#taken++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      const session = this.#idle.pop() ?? (await this.#open())
      const result = await task(session).catch(async (error) => {
        await this.#close(session)
        throw error
      })
      if (this.#closed) await this.#close(session)
      else this.#idle.push(session)
      return result
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#taken--
    }
  }

  /** Closes the sessions that nobody uses; those in use are closed when their task ends. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#idle.splice(0).map((session) => this.#close(session)))
  }
}
