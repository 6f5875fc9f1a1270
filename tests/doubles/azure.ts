import { Buffer } from 'node:buffer'
import {
  constants,
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { selfSignedCertificate } from './certificate.ts'

/** One version of a key of the double; change its attributes as an operator would. */
export interface AzureVersion {
  readonly version: string
  readonly privateKey?: KeyObject
  readonly secret?: Buffer
  enabled: boolean
  expires?: number
}

type Permission = 'get' | 'wrapKey' | 'unwrapKey'
type Fault = 'html' | 'throttled' | 'unavailable' | 'redirect' | 'reset' | 'hang' | 'firewall'
type Body = Record<string, unknown>

const WRAP_IV = Buffer.alloc(8, 0xa6)
const ANSWERS = {
  throttled: [429, 'Throttled', undefined],
  unavailable: [503, 'ServiceUnavailable', undefined],
  firewall: [403, 'Forbidden', 'ForbiddenByFirewall'],
} as const

class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly inner: string | undefined
  constructor(status: number, code: string, inner?: string) {
    super(`${code} ${inner ?? ''}`)
    this.status = status
    this.code = code
    this.inner = inner
  }
}

/**
 * A server that speaks the key operations of Azure Key Vault over HTTPS: the login challenge, getKey, wrapKey and
 * unwrapKey, with true RSA-OAEP-256 and AES key wrap (RFC 3394), versions, disabled and expired keys, permissions.
 */
export class AzureDouble {
  readonly keys = new Map<string, AzureVersion[]>()
  readonly permissions = new Set<Permission>(['get', 'wrapKey', 'unwrapKey'])
  /** Method and path of every request, without bodies. */
  readonly requests: string[] = []
  /** What to do in place of the work, one for each request to come. */
  readonly faults: Fault[] = []
  readonly token = randomBytes(16).toString('hex')
  readonly certificate = selfSignedCertificate()
  url = ''
  #made = 0
  readonly #server = createServer(this.certificate, (request, response) => void this.#serve(request, response))

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.url = `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return this
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Adds a version, as `az keyvault key rotate` does. */
  addVersion(name: string, kind: 'RSA' | 'oct-HSM' = 'RSA'): AzureVersion {
    const version = randomBytes(16).toString('hex')
    const material = kind === 'RSA' ? { privateKey: rsaKey(this.#made++) } : { secret: randomBytes(32) }
    const made: AzureVersion = { version, enabled: true, ...material }
    this.keys.set(name, [...(this.keys.get(name) ?? []), made])
    return made
  }

  /** A credential that the double accepts. */
  credential(): { getToken(): Promise<{ token: string; expiresOnTimestamp: number }> } {
    return { getToken: async () => ({ token: this.token, expiresOnTimestamp: Date.now() + 3_600_000 }) }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', this.url)
    const body = await readBody(request)
    this.requests.push(`${request.method} ${pathname}`)
    const fault = this.faults.shift()
    if (fault === 'hang') return
    if (fault === 'reset') {
      request.socket.destroy()
      return
    }
    if (fault === 'redirect') {
      response.writeHead(307, { location: `${this.url}/elsewhere`, 'content-type': 'application/json' }).end('{}')
      return
    }
    if (fault === 'html') {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>')
      return
    }
    try {
      if (fault) {
        const [status, code, inner] = ANSWERS[fault]
        throw new Refusal(status, code, inner)
      }
      reply(response, 200, this.#handle(request, pathname, body))
    } catch (error) {
      const { status, code, inner } = error instanceof Refusal ? error : new Refusal(500, 'InternalError')
      const headers: Record<string, string> = {}
      if (status === 401) {
        headers['www-authenticate'] =
          'Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000", resource="https://vault.azure.net"'
      }
      if (status === 429) headers['retry-after'] = '1'
      reply(
        response,
        status,
        { error: { code, message: code, ...(inner && { innererror: { code: inner } }) } },
        headers,
      )
    }
  }

  #handle(request: IncomingMessage, path: string, body: Body): Body {
    if (request.headers.authorization !== `Bearer ${this.token}`) throw new Refusal(401, 'Unauthorized')
    const [, keys, name = '', version = '', verb = ''] = path.split('/')
    if (keys !== 'keys') throw new Refusal(404, 'NotFound')
    const permission = verb === 'wrapkey' ? 'wrapKey' : verb === 'unwrapkey' ? 'unwrapKey' : 'get'
    if (!this.permissions.has(permission)) throw new Refusal(403, 'Forbidden', 'ForbiddenByRbac')
    const versions = this.keys.get(name)
    const key = version === '' ? versions?.at(-1) : versions?.find((one) => one.version === version)
    if (!key) throw new Refusal(404, 'KeyNotFound')
    const kid = `${this.url}/keys/${name}/${key.version}`
    if (permission === 'get') return this.#bundle(key, kid)
    if (!key.enabled) throw new Refusal(403, 'Forbidden', 'KeyDisabled')
    if (permission === 'wrapKey' && key.expires !== undefined && key.expires < Date.now()) {
      throw new Refusal(403, 'Forbidden', 'KeyExpired')
    }
    const value = Buffer.from(String(body.value ?? ''), 'base64url')
    if (value.length === 0) throw new Refusal(400, 'BadParameter')
    const result = permission === 'wrapKey' ? wrap(key, String(body.alg), value) : unwrap(key, String(body.alg), value)
    return { kid, value: result.toString('base64url') }
  }

  #bundle(key: AzureVersion, kid: string): Body {
    const key_ops = ['wrapKey', 'unwrapKey']
    const jwk = key.privateKey
      ? { ...publicJwk(key.privateKey), kid, kty: 'RSA', key_ops }
      : { kid, kty: 'oct-HSM', key_ops }
    const seconds = key.expires === undefined ? {} : { exp: Math.floor(key.expires / 1000) }
    return {
      key: jwk,
      attributes: { enabled: key.enabled, created: 1, updated: 1, recoveryLevel: 'Recoverable', ...seconds },
    }
  }
}

const rsaKeys: KeyObject[] = []

/** Making an RSA key takes a tenth of a second, so the doubles of one process share theirs. */
function rsaKey(index: number): KeyObject {
  rsaKeys[index] ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  return rsaKeys[index]
}

function wrap({ privateKey, secret }: AzureVersion, algorithm: string, value: Buffer): Buffer {
  if (privateKey && algorithm === 'RSA-OAEP-256') {
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
    return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, value)
  }
  if (!secret || algorithm !== 'A256KW' || value.length % 8 !== 0) throw new Refusal(400, 'BadParameter')
  const cipher = createCipheriv('id-aes256-wrap', secret, WRAP_IV)
  return Buffer.concat([cipher.update(value), cipher.final()])
}

function unwrap({ privateKey, secret }: AzureVersion, algorithm: string, value: Buffer): Buffer {
  try {
    if (privateKey && algorithm === 'RSA-OAEP-256') {
      const bits = privateKey.asymmetricKeyDetails?.modulusLength
      if (value.byteLength * 8 !== bits) throw new Error('not as long as the modulus')
      return privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, value)
    }
    const decipher = createDecipheriv('id-aes256-wrap', secret ?? Buffer.alloc(32), WRAP_IV)
    if (!secret || algorithm !== 'A256KW') throw new Error('wrong algorithm')
    return Buffer.concat([decipher.update(value), decipher.final()])
  } catch {
    throw new Refusal(400, 'BadParameter')
  }
}

function publicJwk(key: KeyObject): Body {
  const { n, e } = key.export({ format: 'jwk' })
  return { n, e }
}

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('utf8')
  return text === '' ? {} : (JSON.parse(text) as Body)
}

function reply(response: ServerResponse, status: number, body: Body, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
