import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A transit key of the double; change it as an operator would. */
export interface VaultKey {
  readonly type: 'aes256-gcm96' | 'rsa-2048'
  readonly derived: boolean
  readonly versions: Buffer[]
  minDecryptionVersion: number
  softDeleted: boolean
}

interface Token {
  /** Paths without `v1/`, exact, with the capabilities on each; '*' allows all. */
  policy: Record<string, readonly string[]> | '*'
  expires: number
  renewable: boolean
  maxExpires: number
}

interface Role {
  readonly secret: string
  readonly policy: Token['policy']
  readonly ttlSeconds: number
  readonly maxTtlSeconds: number
}

type Fault = 'sealed' | 'throttled' | 'behind' | 'standby-redirect' | 'hang' | 'reset' | 'html' | 'huge' | 'error'
type Body = Record<string, unknown>

const ANSWERS = {
  sealed: [503, { errors: ['Vault is sealed'] }],
  throttled: [429, { errors: ['request path "transit": rate limit quota exceeded'] }],
  behind: [412, { errors: ['required index state not present'] }],
  error: [500, { errors: ['internal error'] }],
} as const

class Refusal extends Error {
  readonly status: number
  constructor(status: number, reason: string) {
    super(reason)
    this.status = status
  }
}

/**
 * A server that speaks the published HTTP API of Vault's token, AppRole and Kubernetes logins and of its Transit
 * engine, with their rules: it truly encrypts, derives with HKDF-SHA-256, keeps versions and minimum versions, ignores
 * `context` on a key that is not derived, and takes no associated data in `rewrap`.
 */
export class VaultDouble {
  readonly keys = new Map<string, VaultKey>()
  readonly tokens = new Map<string, Token>()
  readonly appRoles = new Map<string, Role>()
  readonly kubernetesRoles = new Map<string, Role>()
  /** Method and path of every request, without bodies. */
  readonly requests: string[] = []
  /** What to do in place of the work, one for each request to come. */
  readonly faults: Fault[] = []
  /** A server older than 1.13 does not know `associated_data` and ignores it, as every unknown field. */
  ignoresAssociatedData = false
  namespace = ''
  address = ''
  now: () => number = Date.now
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.address = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return this
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  createKey(name: string, options: { derived?: boolean; type?: VaultKey['type'] } = {}): VaultKey {
    const { derived = false, type = 'aes256-gcm96' } = options
    const key = { type, derived, versions: [randomBytes(32)], minDecryptionVersion: 1, softDeleted: false }
    this.keys.set(name, key)
    return key
  }

  createToken(
    policy: Token['policy'],
    options: { ttlSeconds?: number; renewable?: boolean; maxTtlSeconds?: number } = {},
  ): string {
    const { ttlSeconds = 0, renewable = true, maxTtlSeconds = Infinity } = options
    const token = `hvs.${randomBytes(18).toString('base64url')}`
    const lives = ttlSeconds === 0 ? Infinity : ttlSeconds * 1000
    this.tokens.set(token, {
      policy,
      renewable,
      expires: this.now() + lives,
      maxExpires: this.now() + maxTtlSeconds * 1000,
    })
    return token
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace(/^\/v1\//, '')
    this.requests.push(`${request.method} ${path}`)
    const fault = this.faults.shift()
    if (fault) return this.#fail(fault, request, response)
    try {
      const body = await readBody(request)
      reply(response, 200, this.#handle(request, path, body))
    } catch (error) {
      if (error instanceof Refusal)
        reply(response, error.status, { errors: error.message === '' ? [] : [error.message] })
      else reply(response, 500, { errors: ['internal error'] })
    }
  }

  #fail(fault: Fault, request: IncomingMessage, response: ServerResponse): void {
    request.resume()
    if (fault === 'reset') request.socket.destroy()
    else if (fault === 'standby-redirect') response.writeHead(307, { location: `${this.address}/v1/elsewhere` }).end()
    else if (fault === 'html') response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>')
    else if (fault === 'huge') response.writeHead(200).end(Buffer.alloc(1 << 20, 0x20))
    else if (fault !== 'hang') reply(response, ANSWERS[fault][0], ANSWERS[fault][1])
  }

  #handle(request: IncomingMessage, path: string, body: Body): Body {
    if (String(request.headers['x-vault-namespace'] ?? '') !== this.namespace) {
      throw new Refusal(path.startsWith('auth/') ? 403 : 404, '')
    }
    const login = /^auth\/(approle|kubernetes)\/login$/.exec(path)
    if (login) return login[1] === 'approle' ? this.#appRole(body) : this.#kubernetes(body)

    const name = String(request.headers['x-vault-token'] ?? '')
    const token = this.tokens.get(name)
    if (!token || token.expires <= this.now()) throw new Refusal(403, 'permission denied')
    if (path === 'auth/token/lookup-self') return this.#lookUp(token)
    if (path === 'auth/token/renew-self') return this.#renew(name, token)

    const operation = /^transit\/(encrypt|decrypt|rewrap)\/([\w.-]+)$/.exec(path)
    if (!operation || request.method !== 'POST') throw new Refusal(404, 'no handler for route')
    const [, verb, keyName] = operation as unknown as [string, string, string]
    // A missing key turns `encrypt` into a creation, which a policy without `create` refuses.
    const needs = verb === 'encrypt' && !this.keys.has(keyName) ? 'create' : 'update'
    if (token.policy !== '*' && !token.policy[path]?.includes(needs)) {
      throw new Refusal(403, '1 error occurred:\n\t* permission denied\n\n')
    }
    if (needs === 'create') this.createKey(keyName, { derived: body.context !== undefined })
    const key = this.keys.get(keyName)
    if (!key) throw new Refusal(400, 'encryption key not found')
    if (verb === 'encrypt') return this.#encrypt(key, body)
    const plaintext = this.#decrypt(key, verb === 'rewrap' ? { ...body, associated_data: undefined } : body)
    if (verb === 'rewrap') return this.#encrypt(key, { plaintext: plaintext.toString('base64'), context: body.context })
    return { data: { plaintext: plaintext.toString('base64') } }
  }

  #appRole(body: Body): Body {
    const role = this.appRoles.get(String(body.role_id))
    if (!role || role.secret !== body.secret_id) throw new Refusal(400, 'invalid role or secret ID')
    return this.#grant(role)
  }

  #kubernetes(body: Body): Body {
    const role = this.kubernetesRoles.get(String(body.role))
    if (!role) throw new Refusal(400, `invalid role name "${String(body.role)}"`)
    if (role.secret !== body.jwt) throw new Refusal(403, 'permission denied')
    return this.#grant(role)
  }

  #grant({ policy, ttlSeconds, maxTtlSeconds }: Role): Body {
    const client_token = this.createToken(policy, { ttlSeconds, maxTtlSeconds })
    return { auth: { client_token, lease_duration: ttlSeconds, renewable: true, policies: ['default'] } }
  }

  #lookUp(token: Token): Body {
    const left = token.expires === Infinity ? 0 : Math.floor((token.expires - this.now()) / 1000)
    return { data: { ttl: left, renewable: token.renewable && token.expires !== Infinity, policies: ['default'] } }
  }

  #renew(client_token: string, token: Token): Body {
    if (!token.renewable) throw new Refusal(400, 'lease is not renewable')
    token.expires = Math.min(this.now() + 60_000, token.maxExpires)
    const lease_duration = Math.floor((token.expires - this.now()) / 1000)
    return { auth: { client_token, lease_duration, renewable: true } }
  }

  #encrypt(key: VaultKey, body: Body): Body {
    if (key.softDeleted) throw new Refusal(400, 'key is soft-deleted, it cannot be used until it is restored')
    if (typeof body.plaintext !== 'string') throw new Refusal(400, 'missing plaintext to encrypt')
    const version = key.versions.length
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', keyOf(key, version, body), nonce)
    cipher.setAAD(this.#associatedData(key, body))
    const sealed = Buffer.concat([nonce, cipher.update(body.plaintext, 'base64'), cipher.final(), cipher.getAuthTag()])
    return { data: { ciphertext: `vault:v${version}:${sealed.toString('base64')}`, key_version: version } }
  }

  #decrypt(key: VaultKey, body: Body): Buffer {
    if (key.softDeleted) throw new Refusal(400, 'key is soft-deleted, it cannot be used until it is restored')
    const text = String(body.ciphertext ?? '')
    if (!text.startsWith('vault:v')) throw new Refusal(400, 'invalid ciphertext: no prefix')
    const [, number = '', encoded] = /^vault:v([^:]*):(.*)$/s.exec(text) ?? []
    if (encoded === undefined) throw new Refusal(400, 'invalid ciphertext: wrong number of fields')
    const version = Number(number)
    if (!Number.isInteger(version)) throw new Refusal(400, 'invalid ciphertext: version number could not be decoded')
    if (version > key.versions.length) throw new Refusal(400, 'invalid ciphertext: version is too new')
    if (version < key.minDecryptionVersion) {
      throw new Refusal(400, 'ciphertext or signature version is disallowed by policy (too old)')
    }
    const sealed = Buffer.from(encoded, 'base64')
    if (sealed.toString('base64') !== encoded) throw new Refusal(400, 'invalid ciphertext: could not decode base64')
    if (sealed.length < 28) throw new Refusal(400, 'invalid ciphertext length')
    const decipher = createDecipheriv('aes-256-gcm', keyOf(key, version, body), sealed.subarray(0, 12))
    decipher.setAAD(this.#associatedData(key, body))
    decipher.setAuthTag(sealed.subarray(-16))
    try {
      return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
    } catch {
      throw new Refusal(400, 'cipher: message authentication failed')
    }
  }

  #associatedData(key: VaultKey, body: Body): Buffer {
    if (this.ignoresAssociatedData || typeof body.associated_data !== 'string') return Buffer.alloc(0)
    if (key.type !== 'aes256-gcm96') {
      throw new Refusal(400, `'[0].associated_data' provided for non-AEAD cipher suite ${key.type}`)
    }
    return Buffer.from(body.associated_data, 'base64')
  }
}

/** A key that is not derived leaves `context` unread, as Vault does. */
function keyOf(key: VaultKey, version: number, body: Body): Buffer {
  const secret = key.versions[version - 1]
  if (!secret) throw new Refusal(400, 'no such key version')
  if (!key.derived) return secret
  const context = Buffer.from(String(body.context ?? ''), 'base64')
  if (context.length === 0) {
    throw new Refusal(
      400,
      "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key",
    )
  }
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), context, 32))
}

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('utf8')
  return text === '' ? {} : (JSON.parse(text) as Body)
}

function reply(response: ServerResponse, status: number, body: Body): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
