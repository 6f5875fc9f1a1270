import { readFile } from 'node:fs/promises'
import { assertFilled, assertObject } from '../../src/bytes.ts'
import { InvalidInputError, KmsError } from '../../src/errors.ts'
import { waitFor } from '../../src/wait-for.ts'
import type { VaultReply, VaultSend } from './http.ts'
import { assertMount } from './mount.ts'

const KUBERNETES_JWT = '/var/run/secrets/kubernetes.io/serviceaccount/token'
const LOGIN_TIMEOUT_MS = 10_000
/** Part of a token's life after which it is renewed. */
const RENEW_AFTER = 2 / 3
/** A renewal that leaves less than this has met the token's maximum life. */
const SHORTEST_LEASE_MS = 5_000

/** A secret, or how to read it anew. */
export type VaultSecret = string | (() => string | Promise<string>)

/** How to be let in: a token, an AppRole or the service account of a Kubernetes pod. */
export type VaultAuth =
  | { readonly token: VaultSecret }
  | { readonly appRole: { readonly roleId: string; readonly secretId: VaultSecret; readonly mount?: string } }
  | { readonly kubernetes: { readonly role: string; readonly jwtPath?: string; readonly mount?: string } }

/** Refuses what lets nobody in, before any call. @throws InvalidInputError */
export function assertAuth(auth: VaultAuth): void {
  assertObject(auth, 'auth')
  if ('token' in auth) assertSecret(auth.token, 'the token of auth')
  else if ('appRole' in auth) {
    assertObject(auth.appRole, 'appRole of auth')
    const { roleId, secretId, mount = 'approle' } = auth.appRole
    assertFilled(roleId, 'the roleId of appRole')
    assertSecret(secretId, 'the secretId of appRole')
    assertMount(mount, 'the mount of appRole')
  } else if ('kubernetes' in auth) {
    assertObject(auth.kubernetes, 'kubernetes of auth')
    const { role, jwtPath = KUBERNETES_JWT, mount = 'kubernetes' } = auth.kubernetes
    assertFilled(role, 'the role of kubernetes')
    assertFilled(jwtPath, 'the jwtPath of kubernetes')
    assertMount(mount, 'the mount of kubernetes')
  } else throw new InvalidInputError('auth must have a token, an appRole or kubernetes')
}

function assertSecret(secret: unknown, name: string): void {
  if (typeof secret !== 'function') assertFilled(secret, name)
}

/** A token with the time it was given and how long it lives. */
export interface VaultLease {
  readonly token: string
  readonly since: number
  readonly ms: number
  readonly renewable: boolean
}

/**
 * Holds the token: logs in when first needed, renews at two thirds of its life, logs in again when renewal ends.
 * Calls at the same time share one login. A failed login is not kept.
 */
export class VaultLogin {
  readonly #provider: string
  readonly #auth: VaultAuth
  readonly #send: VaultSend
  readonly #now: () => number
  #lease: VaultLease | undefined
  #pending: Promise<VaultLease> | undefined

  constructor(provider: string, auth: VaultAuth, send: VaultSend, now: () => number = () => performance.now()) {
    this.#provider = provider
    this.#auth = auth
    this.#send = send
    this.#now = now
  }

  /** The current token. @throws KmsError when no login succeeds, or the signal's reason */
  async lease(signal?: AbortSignal): Promise<VaultLease> {
    const lease = this.#lease
    const age = lease ? this.#now() - lease.since : 0
    if (lease && age < lease.ms * RENEW_AFTER) return lease
    this.#pending ??= this.#next(lease, age).finally(() => {
      this.#pending = undefined
    })
    return waitFor(this.#pending, signal)
  }

  /** Whether another token can be had after `refused` was refused; the refused one is dropped. */
  replaceable(refused: VaultLease): boolean {
    if (this.#lease === refused) this.#lease = undefined
    return !('token' in this.#auth && typeof this.#auth.token === 'string')
  }

  /** Forgets the token. */
  close(): void {
    this.#lease = undefined
  }

  async #next(lease: VaultLease | undefined, age: number): Promise<VaultLease> {
    const next = (lease && age < lease.ms ? await this.#renew(lease) : undefined) ?? (await this.#login())
    this.#lease = next
    return next
  }

  /** @returns undefined when a new login is needed */
  async #renew(lease: VaultLease): Promise<VaultLease | undefined> {
    const fixed = 'token' in this.#auth && typeof this.#auth.token === 'string'
    if (!lease.renewable) return fixed ? lease : undefined
    try {
      const reply = await this.#post('auth/token/renew-self', {}, lease.token)
      const renewed = this.#parseLease(reply, 'auth/token/renew-self')
      return renewed.ms >= SHORTEST_LEASE_MS || fixed ? renewed : undefined
    } catch (error) {
      // The old token is still good: an outage now must not end work that Vault may do again in a moment.
      if (error instanceof KmsError && error.retryable) return lease
      if (fixed) return { ...lease, renewable: false }
      return undefined
    }
  }

  async #login(): Promise<VaultLease> {
    const auth = this.#auth
    if ('token' in auth) return this.#lookUp(await this.#read(auth.token))
    if ('appRole' in auth) {
      const { roleId, secretId, mount = 'approle' } = auth.appRole
      const path = `auth/${mount}/login`
      return this.#parseLease(await this.#post(path, { role_id: roleId, secret_id: await this.#read(secretId) }), path)
    }
    const { role, jwtPath = KUBERNETES_JWT, mount = 'kubernetes' } = auth.kubernetes
    const path = `auth/${mount}/login`
    return this.#parseLease(await this.#post(path, { role, jwt: await this.#readJwt(jwtPath) }), path)
  }

  async #lookUp(token: string): Promise<VaultLease> {
    const since = this.#now()
    try {
      const signal = AbortSignal.timeout(LOGIN_TIMEOUT_MS)
      const reply = await this.#send({ method: 'GET', path: 'auth/token/lookup-self', token, signal })
      const data = asObject(reply.data)
      const seconds = typeof data?.ttl === 'number' ? data.ttl : 0
      return { token, since, ms: lifetime(seconds), renewable: data?.renewable === true }
    } catch (error) {
      // A token whose policy leaves lookup-self out may still be allowed to encrypt.
      if (error instanceof KmsError && error.kind === 'denied') return { token, since, ms: Infinity, renewable: false }
      throw error
    }
  }

  #post(path: string, body: Readonly<Record<string, unknown>>, token?: string): Promise<VaultReply> {
    const signal = AbortSignal.timeout(LOGIN_TIMEOUT_MS)
    return this.#send({ method: 'POST', path, body, signal, ...(token !== undefined && { token }) }).catch((error) => {
      if (error instanceof KmsError) throw error
      throw new KmsError(this.#provider, 'unavailable', `no answer from ${path} within ${LOGIN_TIMEOUT_MS} ms`, {
        cause: error,
      })
    })
  }

  #parseLease(reply: VaultReply, path: string): VaultLease {
    const auth = asObject(reply.auth)
    const token = auth?.client_token
    const seconds = auth?.lease_duration
    if (typeof token !== 'string' || token === '' || typeof seconds !== 'number') {
      throw new KmsError(this.#provider, 'misconfigured', `${path} answered without a token: is this Vault?`)
    }
    return { token, since: this.#now(), ms: lifetime(seconds), renewable: auth?.renewable === true }
  }

  async #read(secret: VaultSecret): Promise<string> {
    const text: unknown = typeof secret === 'string' ? secret : await secret()
    if (typeof text === 'string') return text.trim()
    throw new KmsError(this.#provider, 'misconfigured', 'the function that gives the secret must return text')
  }

  async #readJwt(path: string): Promise<string> {
    try {
      return (await readFile(path, 'utf8')).trim()
    } catch (error) {
      const message = 'the service account token of the pod cannot be read: check jwtPath'
      throw new KmsError(this.#provider, 'misconfigured', message, { cause: error })
    }
  }
}

/** Zero seconds means that the token does not expire. */
function lifetime(seconds: number): number {
  return seconds > 0 ? seconds * 1000 : Infinity
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
}
