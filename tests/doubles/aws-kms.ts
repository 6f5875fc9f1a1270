import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A key as AWS KMS keeps it; the replicas of a multi-Region key share one object. */
export interface DoubleKey {
  readonly id: string
  state: 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingImport'
  usage: 'ENCRYPT_DECRYPT' | 'GENERATE_VERIFY_MAC'
  /** Backing keys, the newest last: rotation adds one, and old ciphertexts keep naming theirs. */
  readonly material: Buffer[]
}

/** Answers the next matching call with an exception, or does something to its connection. */
export interface DoubleFault {
  /** For example `Decrypt`; every action when left out. */
  readonly action?: string
  /** `__type` of the answer, or what happens to the connection. */
  readonly fault: string | 'reset' | 'hang' | 'redirect'
  readonly status?: number
  readonly message?: string
  /** How many calls; default 1. */
  times?: number
}

const ACCOUNT = '111122223333'
const TAG = 16
const IV = 12

/**
 * AWS KMS at the wire: the JSON 1.1 protocol over HTTP, with what emulators get wrong: states of keys, permissions, throttling,
 * rotation that makes new material, one InvalidCiphertextException for wrong contexts and damage alike, a Decrypt that
 * is pinned to its KeyId. Only symmetric keys, only the four actions that are used.
 */
export class AwsKmsDouble {
  readonly region: string
  readonly accessKeyId = 'AKIDDOUBLE'
  readonly keys: Map<string, DoubleKey>
  readonly aliases = new Map<string, string>()
  readonly calls: { action: string; keyId: string; tokens: string[]; context: unknown }[] = []
  readonly faults: DoubleFault[] = []
  /** `Action keyId` pairs that the identity lacks, for example `kms:Decrypt 1234…`. */
  readonly denied = new Set<string>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  /** @param keys share them with another region to have multi-Region keys */
  constructor(region = 'eu-central-1', keys = new Map<string, DoubleKey>()) {
    this.region = region
    this.keys = keys
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  createKey(options: { multiRegion?: boolean } = {}): DoubleKey {
    const id = options.multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID()
    const key: DoubleKey = { id, state: 'Enabled', usage: 'ENCRYPT_DECRYPT', material: [randomBytes(32)] }
    this.keys.set(id, key)
    return key
  }

  arn(key: DoubleKey): string {
    return `arn:aws:kms:${this.region}:${ACCOUNT}:key/${key.id}`
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const action = String(request.headers['x-amz-target']).replace('TrentService.', '')
    try {
      if (request.method !== 'POST' || request.headers['content-type'] !== 'application/x-amz-json-1.1') {
        throw new Refusal('UnknownOperationException')
      }
      this.#authenticate(String(request.headers.authorization))
      const input = JSON.parse(Buffer.concat(chunks).toString()) as Input
      this.calls.push({
        action,
        keyId: input.KeyId ?? input.SourceKeyId ?? '',
        tokens: input.GrantTokens ?? [],
        context: input.EncryptionContext,
      })
      const fault = this.#takeFault(action)
      if (fault?.fault === 'reset') return void request.socket.destroy()
      if (fault?.fault === 'hang') return
      if (fault?.fault === 'redirect') {
        return void response.writeHead(307, { location: 'http://127.0.0.1:9/stolen' }).end()
      }
      if (fault !== undefined) throw new Refusal(fault.fault, fault.message, fault.status)
      answer(response, 200, this.#act(action, input))
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal('KMSInternalException', String(error), 500)
      answer(response, refusal.status, { __type: refusal.type, message: refusal.message })
    }
  }

  #act(action: string, input: Input): Record<string, unknown> {
    switch (action) {
      case 'Encrypt': {
        const key = this.#usable('kms:Encrypt', input.KeyId)
        return {
          CiphertextBlob: this.#encrypt(key, Buffer.from(input.Plaintext ?? '', 'base64'), input.EncryptionContext),
          KeyId: this.arn(key),
          EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
        }
      }
      case 'Decrypt': {
        const [key, plaintext] = this.#decrypt(
          'kms:Decrypt',
          input.CiphertextBlob,
          input.KeyId,
          input.EncryptionContext,
        )
        return {
          KeyId: this.arn(key),
          Plaintext: plaintext.toString('base64'),
          EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
          KeyMaterialId: key.material.length.toString(16).padStart(64, '0'),
        }
      }
      case 'ReEncrypt': {
        const [source, plaintext] = this.#decrypt(
          'kms:ReEncryptFrom',
          input.CiphertextBlob,
          input.SourceKeyId,
          input.SourceEncryptionContext,
        )
        const key = this.#usable('kms:ReEncryptTo', input.DestinationKeyId)
        return {
          CiphertextBlob: this.#encrypt(key, plaintext, input.DestinationEncryptionContext),
          SourceKeyId: this.arn(source),
          KeyId: this.arn(key),
        }
      }
      case 'DescribeKey': {
        const key = this.#find('kms:DescribeKey', input.KeyId)
        return { KeyMetadata: { KeyId: key.id, Arn: this.arn(key), KeyState: key.state, KeyUsage: key.usage } }
      }
      default:
        throw new Refusal('UnknownOperationException')
    }
  }

  #encrypt(key: DoubleKey, plaintext: Buffer, context: Context): string {
    const version = key.material.length - 1
    const iv = randomBytes(IV)
    const cipher = createCipheriv('aes-256-gcm', key.material[version] as Buffer, iv, { authTagLength: TAG })
    cipher.setAAD(canonical(context))
    const body = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    const head = Buffer.from([key.id.length, ...Buffer.from(key.id), version])
    return Buffer.concat([head, iv, body]).toString('base64')
  }

  #decrypt(action: string, blob: string | undefined, keyId: string | undefined, context: Context): [DoubleKey, Buffer] {
    const bytes = Buffer.from(blob ?? '', 'base64')
    const pinned = keyId === undefined ? undefined : this.#find(action, keyId)
    const ivAt = 2 + (bytes[0] ?? 0)
    const named = this.keys.get(bytes.subarray(1, ivAt - 1).toString())
    const material = named?.material[bytes[ivAt - 1] ?? 255]
    if (named === undefined || material === undefined || bytes.byteLength < ivAt + IV + TAG) {
      throw new Refusal('InvalidCiphertextException', '')
    }
    if (pinned !== undefined && pinned !== named) {
      throw new Refusal(
        'IncorrectKeyException',
        'The key ID in the request does not identify a CMK that can perform this operation.',
      )
    }
    this.#usable(action, named.id)
    const decipher = createDecipheriv('aes-256-gcm', material, bytes.subarray(ivAt, ivAt + IV), { authTagLength: TAG })
    decipher.setAAD(canonical(context))
    decipher.setAuthTag(bytes.subarray(-TAG))
    try {
      return [named, Buffer.concat([decipher.update(bytes.subarray(ivAt + IV, -TAG)), decipher.final()])]
    } catch {
      throw new Refusal('InvalidCiphertextException', '')
    }
  }

  #usable(action: string, keyId: string | undefined): DoubleKey {
    const key = this.#find(action, keyId)
    const arn = this.arn(key)
    if (key.state === 'Disabled') throw new Refusal('DisabledException', `${arn} is disabled.`)
    if (key.state !== 'Enabled') {
      const state = key.state === 'PendingDeletion' ? 'pending deletion' : 'pending import'
      throw new Refusal('KMSInvalidStateException', `${arn} is ${state}.`)
    }
    if (key.usage !== 'ENCRYPT_DECRYPT')
      throw new Refusal('InvalidKeyUsageException', `${arn} key usage is ${key.usage}`)
    return key
  }

  /** By id, ARN of this region, alias or alias ARN of this region. Permissions come before existence tells anything. */
  #find(action: string, keyId = ''): DoubleKey {
    const own = `arn:aws:kms:${this.region}:${ACCOUNT}:`
    const resource = keyId.startsWith(own) ? keyId.slice(own.length).replace(/^key\//, '') : keyId
    if (resource.startsWith('arn:')) throw new Refusal('NotFoundException', `Invalid arn ${this.region}`)
    const key = this.keys.get(resource.startsWith('alias/') ? (this.aliases.get(resource) ?? '') : resource)
    if (key === undefined) {
      const what = resource.startsWith('alias/') ? 'Alias' : 'Key'
      throw new Refusal('NotFoundException', `${what} '${own}${resource}' does not exist`)
    }
    if (!this.denied.has(`${action} ${key.id}`)) return key
    throw new Refusal(
      'AccessDeniedException',
      `User: arn:aws:iam::${ACCOUNT}:user/app is not authorized to perform: ${action} on resource: ${this.arn(key)}`,
    )
  }

  #authenticate(authorization: string): void {
    const match =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/kms\/aws4_request, SignedHeaders=[^,]+, Signature=[0-9a-f]{64}$/.exec(
        authorization,
      )
    if (match === null) throw new Refusal('MissingAuthenticationTokenException')
    if (match[1] !== this.accessKeyId) {
      throw new Refusal('UnrecognizedClientException', 'The security token included in the request is invalid.')
    }
    if (match[2] !== this.region) {
      throw new Refusal('InvalidSignatureException', 'Credential should be scoped to a valid region.')
    }
  }

  #takeFault(action: string): DoubleFault | undefined {
    const index = this.faults.findIndex((fault) => fault.action === undefined || fault.action === action)
    const fault = this.faults[index]
    if (fault === undefined) return undefined
    fault.times = (fault.times ?? 1) - 1
    if (fault.times <= 0) this.faults.splice(index, 1)
    return fault
  }
}

type Context = Record<string, string> | undefined

interface Input {
  KeyId?: string
  Plaintext?: string
  CiphertextBlob?: string
  EncryptionContext?: Record<string, string>
  GrantTokens?: string[]
  SourceKeyId?: string
  SourceEncryptionContext?: Record<string, string>
  DestinationKeyId?: string
  DestinationEncryptionContext?: Record<string, string>
}

class Refusal extends Error {
  readonly type: string
  readonly status: number

  constructor(type: string, message = type, status = 400) {
    super(message)
    this.type = type
    this.status = status
  }
}

function canonical(context: Context): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(context ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))))
}

function answer(response: ServerResponse, status: number, body: Record<string, unknown>): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() })
  response.end(JSON.stringify(body))
}
