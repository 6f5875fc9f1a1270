import { Buffer } from 'node:buffer'
import { KmsError } from '../../src/errors.ts'
import { vaultError } from './faults.ts'

const MAX_REPLY_BYTES = 65_536

/** The part of the global `fetch` that is used: give one with a dispatcher for mutual TLS or a private authority. */
export type VaultFetch = (url: string, init: VaultFetchInit) => Promise<VaultFetchReply>

/** What `VaultFetch` is called with. */
export interface VaultFetchInit {
  readonly method: 'GET' | 'POST'
  readonly headers: Record<string, string>
  readonly redirect: 'error'
  readonly body?: string
  readonly signal?: AbortSignal
}

/** What `VaultFetch` answers with: a `Response`. */
export interface VaultFetchReply {
  readonly status: number
  readonly body: AsyncIterable<Uint8Array> | null
}

/** One request to Vault. */
export interface VaultRequest {
  readonly method: 'GET' | 'POST'
  /** Without `/v1/`. */
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
  readonly token?: string
  readonly signal?: AbortSignal | undefined
}

/** A JSON object as Vault answers. */
export type VaultReply = Readonly<Record<string, unknown>>

/** Sends one request and returns the JSON of a 2xx reply. @throws KmsError for everything else, or the signal's reason */
export type VaultSend = (request: VaultRequest) => Promise<VaultReply>

/** Binds requests to one server and namespace. Redirects are refused: the address in the configuration is the only host. */
export function vaultSend(
  provider: string,
  address: string,
  namespace: string | undefined,
  fetch: VaultFetch,
): VaultSend {
  return async ({ method, path, body, token, signal }) => {
    signal?.throwIfAborted()
    const init: VaultFetchInit = {
      method,
      redirect: 'error',
      headers: {
        'x-vault-request': 'true',
        ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
        ...(token !== undefined && { 'x-vault-token': token }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    }
    try {
      const reply = await fetch(`${address}/v1/${path}`, init)
      const json = parseReply(await readBounded(provider, reply))
      if (reply.status >= 200 && reply.status < 300) return json ?? {}
      throw vaultError(provider, path, reply.status, json)
    } catch (error) {
      if (error instanceof KmsError) throw error
      signal?.throwIfAborted()
      throw transportError(provider, error)
    }
  }
}

async function readBounded(provider: string, reply: VaultFetchReply): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of reply.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_REPLY_BYTES) {
      throw new KmsError(
        provider,
        'misconfigured',
        `the answer is longer than ${MAX_REPLY_BYTES} bytes: is this Vault?`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseReply(text: string): VaultReply | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as VaultReply) : undefined
  } catch {
    return undefined
  }
}

function transportError(provider: string, error: unknown): KmsError {
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const text = reason instanceof Error ? reason.message : typeof reason
  if (/redirect/i.test(text)) {
    const message = 'the server answered with a redirect, which is refused: configure the address of the active node'
    return new KmsError(provider, 'misconfigured', message, { cause: error })
  }
  const code = reason instanceof Error && 'code' in reason ? String(reason.code) : ''
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS|ERR_SSL/.test(code)) {
    return new KmsError(provider, 'misconfigured', `the certificate of the server is not trusted (${code})`, {
      cause: error,
    })
  }
  return new KmsError(provider, 'unavailable', `no answer (${code || 'connection failed'})`, { cause: error })
}
