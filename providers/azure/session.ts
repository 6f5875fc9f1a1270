import type { AzureCryptographyClient, AzureKeyClient, AzureKeyId } from './client.ts'

const MAX_VERSIONS = 16

/** The client of one key, made on first use, and its clients per version. */
export class AzureSession {
  readonly #id: AzureKeyId
  readonly #make: () => Promise<AzureKeyClient>
  readonly #versions = new Map<string, AzureCryptographyClient>()
  #client: Promise<AzureKeyClient> | undefined

  constructor(id: AzureKeyId, make: () => Promise<AzureKeyClient>) {
    this.#id = id
    this.#make = make
  }

  /** The configured version, or the one that the vault names as newest; empty when it names none. @throws what the SDK throws */
  async newestVersion(signal: AbortSignal | undefined): Promise<string> {
    if (this.#id.version !== undefined) return this.#id.version
    const client = await this.#connect()
    const key = await client.getKey(this.#id.name, signal ? { abortSignal: signal } : {})
    return key.properties.version ?? ''
  }

  /** @throws what the SDK throws */
  async cryptography(version: string): Promise<AzureCryptographyClient> {
    const client = await this.#connect()
    const known = this.#versions.get(version)
    if (known) return known
    if (this.#versions.size >= MAX_VERSIONS) this.#versions.clear()
    const made = client.getCryptographyClient(this.#id.name, { keyVersion: version })
    this.#versions.set(version, made)
    return made
  }

  #connect(): Promise<AzureKeyClient> {
    this.#client ??= this.#make().catch((error) => {
      this.#client = undefined
      throw error
    })
    return this.#client
  }
}
