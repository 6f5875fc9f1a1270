import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { Server as GrpcServer, loadPackageDefinition, ServerCredentials, status } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'

/** A key with its versions, the first being version 1. */
export interface DoubleKey {
  readonly name: string
  primary: number
  readonly versions: { state: 'ENABLED' | 'DISABLED' | 'DESTROYED'; material: Buffer }[]
}

/** What to do in place of the next call. */
export type DoubleFault =
  | { readonly code: number; readonly message?: string }
  | { readonly damage: 'plaintext' | 'ciphertext' | 'unverified' | 'foreign-name' }
  | { readonly hang: true }
  | { readonly redirect: true }

interface Call {
  readonly method: 'encrypt' | 'decrypt'
  readonly name: string
}

interface Request {
  readonly name: string
  readonly plaintext?: Buffer
  readonly ciphertext?: Buffer
  readonly additionalAuthenticatedData: Buffer
  /** Undefined when the client sent none. */
  readonly checksum: number | undefined
  readonly aadChecksum: number | undefined
}

const IV = 12
const TAG = 16

/**
 * Google Cloud KMS as its protos and its API reference describe it, over gRPC and over REST: symmetric encryption with
 * additional authenticated data, CRC-32C both ways, versions with states and a primary, google.rpc codes.
 */
export class GcpKmsDouble {
  readonly keys = new Map<string, DoubleKey>()
  readonly calls: Call[] = []
  readonly faults: DoubleFault[] = []
  /** `useToEncrypt name` and `useToDecrypt name` that the identity lacks. */
  readonly denied = new Set<string>()
  readonly token = 'ya29.double'
  grpcPort = 0
  #grpc: GrpcServer | undefined
  readonly #http: Server = createServer((request, response) => void this.#serveRest(request, response))

  createKey(name = `key-${randomBytes(4).toString('hex')}`): DoubleKey {
    const key: DoubleKey = {
      name: `projects/acme/locations/europe-west3/keyRings/app/cryptoKeys/${name}`,
      primary: 1,
      versions: [{ state: 'ENABLED', material: randomBytes(32) }],
    }
    this.keys.set(key.name, key)
    return key
  }

  rotate(key: DoubleKey): void {
    key.primary = key.versions.push({ state: 'ENABLED', material: randomBytes(32) })
  }

  get restEndpoint(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  async start(): Promise<this> {
    const protos = createRequire(import.meta.url)('@google-cloud/kms/build/protos/protos.json')
    const definition = loadPackageDefinition(fromJSON(protos, { longs: String, defaults: true, arrays: true })) as never
    const { service } = (definition as KmsPackage).google.cloud.kms.v1.KeyManagementService
    const server = new GrpcServer()
    server.addService(service as never, {
      encrypt: (call: GrpcCall, reply: GrpcReply) => void this.#answerGrpc('encrypt', call.request, reply),
      decrypt: (call: GrpcCall, reply: GrpcReply) => void this.#answerGrpc('decrypt', call.request, reply),
    })
    this.#grpc = server
    this.grpcPort = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    )
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve))
    return this
  }

  async stop(): Promise<void> {
    this.#grpc?.forceShutdown()
    this.#http.closeAllConnections()
    await new Promise((resolve) => this.#http.close(resolve))
  }

  #answerGrpc(method: Call['method'], raw: GrpcRequest, reply: GrpcReply): void {
    try {
      const fault = this.#enter(method, raw.name)
      if (fault !== undefined && 'hang' in fault) return
      const checksum = method === 'encrypt' ? raw.plaintextCrc32c : raw.ciphertextCrc32c
      reply(
        null,
        this.#act(method, fault, {
          ...raw,
          checksum: checksum === null ? undefined : Number(checksum.value),
          aadChecksum:
            raw.additionalAuthenticatedDataCrc32c === null
              ? undefined
              : Number(raw.additionalAuthenticatedDataCrc32c.value),
        }),
      )
    } catch (error) {
      const { code = status.INTERNAL, message } = error as Refusal
      reply({ code, details: message })
    }
  }

  async #serveRest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const send = (code: number, body: unknown) =>
      void response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    try {
      const [, name = '', method] = /^\/v1\/(.+):(encrypt|decrypt)$/.exec(request.url ?? '') ?? []
      if (request.headers.authorization !== `Bearer ${this.token}`) {
        throw new Refusal(status.UNAUTHENTICATED, 'Request had invalid authentication credentials.')
      }
      const verb = method as Call['method']
      const fault = this.#enter(verb, name)
      if (fault !== undefined && 'hang' in fault) return
      if (fault !== undefined && 'redirect' in fault) {
        return void response.writeHead(307, { location: 'http://127.0.0.1:9/stolen' }).end()
      }
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string | undefined>
      const checksum = verb === 'encrypt' ? body.plaintextCrc32c : body.ciphertextCrc32c
      const aadChecksum = body.additionalAuthenticatedDataCrc32c
      const answer = this.#act(verb, fault, {
        name,
        plaintext: Buffer.from(body.plaintext ?? '', 'base64'),
        ciphertext: Buffer.from(body.ciphertext ?? '', 'base64'),
        additionalAuthenticatedData: Buffer.from(body.additionalAuthenticatedData ?? '', 'base64'),
        checksum: checksum === undefined ? undefined : Number(checksum),
        aadChecksum: aadChecksum === undefined ? undefined : Number(aadChecksum),
      })
      send(200, JSON.parse(JSON.stringify(answer, restValue)))
    } catch (error) {
      const { code = status.INTERNAL, message } = error as Refusal
      send(HTTP[code] ?? 500, { error: { code: HTTP[code] ?? 500, message, status: status[code] } })
    }
  }

  #enter(method: Call['method'], name: string): DoubleFault | undefined {
    this.calls.push({ method, name })
    const fault = this.faults.shift()
    if (fault !== undefined && 'code' in fault) throw new Refusal(fault.code, fault.message ?? status[fault.code] ?? '')
    return fault
  }

  #act(method: Call['method'], fault: DoubleFault | undefined, request: Request): Record<string, unknown> {
    const key = this.#find(method, request.name)
    const aad = request.additionalAuthenticatedData
    if (request.aadChecksum !== undefined && request.aadChecksum !== checksumOf(aad)) {
      throw new Refusal(
        status.INVALID_ARGUMENT,
        'The checksum in field additional_authenticated_data_crc32c did not match.',
      )
    }
    const damage = fault !== undefined && 'damage' in fault ? fault.damage : undefined
    return method === 'encrypt' ? this.#encrypt(key, aad, request, damage) : this.#decrypt(key, aad, request, damage)
  }

  #encrypt(key: DoubleKey, aad: Buffer, { plaintext, checksum, aadChecksum }: Request, damage?: string) {
    if (plaintext === undefined || (checksum !== undefined && checksum !== checksumOf(plaintext))) {
      throw new Refusal(status.INVALID_ARGUMENT, 'The checksum in field plaintext_crc32c did not match.')
    }
    const material = this.#material(key, key.primary)
    const iv = randomBytes(IV)
    const cipher = createCipheriv('aes-256-gcm', material, iv, { authTagLength: TAG })
    cipher.setAAD(aad)
    const body = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    const ciphertext = Buffer.concat([Buffer.from([0x0a, key.primary]), iv, body])
    const value = String(checksumOf(ciphertext))
    if (damage === 'ciphertext') ciphertext[20] = (ciphertext[20] as number) ^ 1
    const name = damage === 'foreign-name' ? `${key.name}-other` : key.name
    return {
      name: `${name}/cryptoKeyVersions/${key.primary}`,
      ciphertext,
      ciphertextCrc32c: { value },
      verifiedPlaintextCrc32c: checksum !== undefined && damage !== 'unverified',
      verifiedAdditionalAuthenticatedDataCrc32c: aadChecksum !== undefined,
      protectionLevel: 'SOFTWARE',
    }
  }

  #decrypt(key: DoubleKey, aad: Buffer, { ciphertext, checksum }: Request, damage?: string) {
    if (ciphertext === undefined || (checksum !== undefined && checksum !== checksumOf(ciphertext))) {
      throw new Refusal(status.INVALID_ARGUMENT, 'The checksum in field ciphertext_crc32c did not match.')
    }
    const wrong = new Refusal(
      status.INVALID_ARGUMENT,
      "Decryption failed: verify that 'name' refers to the correct CryptoKey.",
    )
    const version = ciphertext[1] ?? 0
    if (ciphertext.byteLength < 2 + IV + TAG || ciphertext[0] !== 0x0a || key.versions[version - 1] === undefined)
      throw wrong
    const material = this.#material(key, version)
    const decipher = createDecipheriv('aes-256-gcm', material, ciphertext.subarray(2, 2 + IV), { authTagLength: TAG })
    decipher.setAAD(aad)
    decipher.setAuthTag(ciphertext.subarray(-TAG))
    let plaintext: Buffer
    try {
      plaintext = Buffer.concat([decipher.update(ciphertext.subarray(2 + IV, -TAG)), decipher.final()])
    } catch {
      throw wrong
    }
    const value = String(checksumOf(plaintext))
    if (damage === 'plaintext') plaintext[0] = (plaintext[0] as number) ^ 1
    return { plaintext, plaintextCrc32c: { value }, usedPrimary: version === key.primary, protectionLevel: 'SOFTWARE' }
  }

  #find(method: Call['method'], name: string): DoubleKey {
    if (this.denied.has(`useTo${method === 'encrypt' ? 'Encrypt' : 'Decrypt'} ${name}`)) {
      const permission = `cloudkms.cryptoKeyVersions.useTo${method === 'encrypt' ? 'Encrypt' : 'Decrypt'}`
      throw new Refusal(
        status.PERMISSION_DENIED,
        `Permission '${permission}' denied on resource '${name}' (or it may not exist).`,
      )
    }
    const key = this.keys.get(name)
    if (key === undefined) throw new Refusal(status.NOT_FOUND, `CryptoKey ${name} not found.`)
    return key
  }

  #material(key: DoubleKey, version: number): Buffer {
    const found = key.versions[version - 1]
    if (found?.state === 'ENABLED') return found.material
    throw new Refusal(
      status.FAILED_PRECONDITION,
      `${key.name}/cryptoKeyVersions/${version} is not enabled, current state is: ${found?.state}.`,
    )
  }
}

interface Wrapper {
  readonly value: string
}

interface GrpcRequest {
  readonly name: string
  readonly plaintext?: Buffer
  readonly ciphertext?: Buffer
  readonly additionalAuthenticatedData: Buffer
  readonly plaintextCrc32c: Wrapper | null
  readonly ciphertextCrc32c: Wrapper | null
  readonly additionalAuthenticatedDataCrc32c: Wrapper | null
}

interface GrpcCall {
  readonly request: GrpcRequest
}

type GrpcReply = (error: { code: number; details: string } | null, answer?: unknown) => void

interface KmsPackage {
  readonly google: { cloud: { kms: { v1: { KeyManagementService: { service: unknown } } } } }
}

class Refusal extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** google.rpc.Code: HTTP mapping. */
const HTTP: Readonly<Record<number, number>> = {
  1: 499,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  12: 501,
  13: 500,
  14: 503,
  16: 401,
}

/** Bytes as base64 and wrapped numbers as text, as in proto3 JSON. */
function restValue(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('type' in value && value.type === 'Buffer' && 'data' in value)
    return Buffer.from(value.data as number[]).toString('base64')
  return Object.keys(value).join() === 'value' ? (value as Wrapper).value : value
}

/** Bit by bit, unlike the table of the provider: the two check each other. */
function checksumOf(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1))
  }
  return ~crc >>> 0
}
