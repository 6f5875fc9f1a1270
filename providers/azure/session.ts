import { waitFor } from '../../src/wait-for.ts'
import type { AzureCryptographyClient, AzureKeyClient, AzureKeyId } from './client.ts'

const FIRST_TIMEOUT_MS = 10_000
const MAX_VERSIONS = 16

/** The client of one key, made on first use, and its clients per version. */
export class AzureSession {
  readonly #id: AzureKeyId
  readonly #make: () => Promise<AzureKeyClient>
  readonly #versions = new Map<string, AzureCryptographyClient>()
  #connected: Promise<AzureKeyClient> | undefined

  constructor(id: AzureKeyId, make: () => Promise<AzureKeyClient>) {
    this.#id = id
    this.#make = make
  }

  /** The configured version, or the one that the vault names as newest; empty when it names none. @throws what the SDK throws */
  async newestVersion(signal: AbortSignal | undefined): Promise<string> {
    if (this.#id.version !== undefined) return this.#id.version
    const client = await this.#connect(signal)
    const key = await client.getKey(this.#id.name, signal ? { abortSignal: signal } : {})
    return key.properties.version ?? ''
  }

  /** @throws what the SDK throws */
  async cryptography(version: string, signal: AbortSignal | undefined): Promise<AzureCryptographyClient> {
    const client = await this.#connect(signal)
    const known = this.#versions.get(version)
    if (known) return known
    if (this.#versions.size >= MAX_VERSIONS) this.#versions.clear()
    const made = client.getCryptographyClient(this.#id.name, { keyVersion: version })
    this.#versions.set(version, made)
    return made
  }

  #connect(signal: AbortSignal | undefined): Promise<AzureKeyClient> {
    this.#connected ??= this.#greet().catch((error) => {
      this.#connected = undefined
      throw error
    })
    return waitFor(this.#connected, signal)
  }

  /**
   * The SDK's login policy empties the body of one of several simultaneous first requests, so the first request goes
   * alone. Whether it may read the key does not matter: a refusal has logged in as well.
   */
  async #greet(): Promise<AzureKeyClient> {
    const client = await this.#make()
    const { name, version } = this.#id
    const abortSignal = AbortSignal.timeout(FIRST_TIMEOUT_MS)
    await client.getKey(name, { abortSignal, ...(version !== undefined && { version }) }).catch((error) => {
      if (Object(error).statusCode !== 403) throw error
    })
    return client
  }
}
