import { KmsError } from '../../src/errors.ts'
import { waitFor } from '../../src/wait-for.ts'
import { isAlready, isLost, isRefusedPin } from './faults.ts'
import type { Pkcs11Attribute, Pkcs11Call, Pkcs11Handle, Pkcs11Runner } from './module.ts'
import { SessionPool } from './session-pool.ts'

const CKF_OS_LOCKING_OK = 2
const CKF_SERIAL_SESSION = 4
const CKU_USER = 1

/** Where the key is and how to be let in. */
export interface TokenOptions {
  readonly provider: string
  readonly label: string
  readonly pin: string | (() => string | Promise<string>)
  readonly sessions: number
}

/** What a task gets: a session of its own, logged in. */
export interface TokenSession {
  readonly handle: Pkcs11Handle
  run(calls: readonly Pkcs11Call[]): Promise<unknown[]>
  /** The one object that has these attributes. @throws KmsError `key-not-found`, or `misconfigured` when there are several */
  find(template: readonly Pkcs11Attribute[], what: string): Promise<Pkcs11Handle>
}

interface Opened {
  readonly slot: Pkcs11Handle
  /** Keeps the login: a token logs an application out with its last session. */
  readonly anchor: Pkcs11Handle
  readonly pool: SessionPool
  readonly objects: Map<string, Promise<Pkcs11Handle>>
}

/** One token of an HSM: opened and logged in on first use, and once more when the session or the login is lost. */
export class HsmToken {
  readonly #runner: Pkcs11Runner
  readonly #options: TokenOptions
  #opened: Promise<Opened> | undefined
  #refusedPin: string | undefined

  constructor(runner: Pkcs11Runner, options: TokenOptions) {
    this.#runner = runner
    this.#options = options
  }

  /** Runs a task with a session. The signal ends the wait; a call into the library cannot be interrupted. */
  use<Result>(task: (session: TokenSession) => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    const guarded = (session: TokenSession): Promise<Result> => {
      signal?.throwIfAborted()
      return task(session)
    }
    return waitFor(this.#attempt(guarded), signal)
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined)
    this.#opened = undefined
    if (opened) await this.#closeAll(opened)
    await this.#runner.close()
  }

  async #attempt<Result>(task: (session: TokenSession) => Promise<Result>): Promise<Result> {
    const opening = this.#open()
    try {
      return await this.#inSession(await opening, task)
    } catch (error) {
      if (!isLost(error)) throw error
      if (this.#opened === opening) {
        this.#opened = undefined
        void opening.then((lost) => this.#closeAll(lost)).catch(() => {})
      }
      return this.#inSession(await this.#open(), task)
    }
  }

  async #inSession<Result>(opened: Opened, task: (session: TokenSession) => Promise<Result>): Promise<Result> {
    return opened.pool.use((handle) =>
      task({
        handle,
        run: (calls) => this.#runner.run(calls),
        find: (template, what) => this.#find(opened, handle, template, what),
      }),
    )
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#openOnce().catch((error) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #openOnce(): Promise<Opened> {
    await this.#runner.run([['C_Initialize', { flags: CKF_OS_LOCKING_OK }]]).catch(unlessAlready)
    const slot = await this.#slot()
    const anchor = await this.#openSession(slot)
    try {
      await this.#login(anchor)
    } catch (error) {
      await this.#closeSession(anchor)
      throw error
    }
    const pool = new SessionPool(
      this.#options.sessions,
      () => this.#openSession(slot),
      (session) => this.#closeSession(session),
    )
    return { slot, anchor, pool, objects: new Map() }
  }

  async #slot(): Promise<Pkcs11Handle> {
    const { provider, label } = this.#options
    const [slots] = (await this.#runner.run([['C_GetSlotList', true]])) as [Pkcs11Handle[]]
    const found: Pkcs11Handle[] = []
    for (const slot of slots) {
      const [info] = (await this.#runner.run([['C_GetTokenInfo', slot]])) as [{ label: string }]
      if (info.label.replace(/[\0 ]+$/, '') === label) found.push(slot)
    }
    if (found.length > 1) throw new KmsError(provider, 'misconfigured', `several tokens have the label ${label}`)
    if (!found[0]) throw new KmsError(provider, 'unavailable', `no token with the label ${label} is present`)
    return found[0]
  }

  async #login(session: Pkcs11Handle): Promise<void> {
    const { pin, provider } = this.#options
    const text: unknown = typeof pin === 'string' ? pin : await pin()
    if (typeof text !== 'string') {
      throw new KmsError(provider, 'misconfigured', 'the function that gives the PIN must return text')
    }
    if (text === this.#refusedPin) {
      throw new KmsError(
        provider,
        'denied',
        'the PIN was refused before and is not tried again, lest the token lock it',
      )
    }
    try {
      await this.#runner.run([['C_Login', session, CKU_USER, text]]).catch(unlessAlready)
    } catch (error) {
      if (isRefusedPin(error)) this.#refusedPin = text
      throw error
    }
  }

  #find(
    opened: Opened,
    session: Pkcs11Handle,
    template: readonly Pkcs11Attribute[],
    what: string,
  ): Promise<Pkcs11Handle> {
    const known = opened.objects.get(what)
    if (known) return known
    const search = this.#search(session, template, what)
    opened.objects.set(what, search)
    search.catch(() => opened.objects.delete(what))
    return search
  }

  async #search(session: Pkcs11Handle, template: readonly Pkcs11Attribute[], what: string): Promise<Pkcs11Handle> {
    const { provider } = this.#options
    const [, handles] = (await this.#runner.run([
      ['C_FindObjectsInit', session, [...template]],
      ['C_FindObjects', session, 2],
      ['C_FindObjectsFinal', session],
    ])) as [unknown, Pkcs11Handle[]]
    if (handles.length > 1) {
      throw new KmsError(provider, 'misconfigured', `the token has more than one ${what}: name it by its id`)
    }
    if (!handles[0]) throw new KmsError(provider, 'key-not-found', `the token has no ${what} that this user may see`)
    return handles[0]
  }

  async #openSession(slot: Pkcs11Handle): Promise<Pkcs11Handle> {
    const [session] = (await this.#runner.run([['C_OpenSession', slot, CKF_SERIAL_SESSION]])) as [Pkcs11Handle]
    return session
  }

  /** A session that cannot be closed is gone already. */
  async #closeSession(session: Pkcs11Handle): Promise<void> {
    await this.#runner.run([['C_CloseSession', session]]).catch(() => {})
  }

  async #closeAll({ anchor, pool }: Opened): Promise<void> {
    await pool.close()
    await this.#closeSession(anchor)
  }
}

function unlessAlready(error: unknown): void {
  if (!isAlready(error)) throw error
}
