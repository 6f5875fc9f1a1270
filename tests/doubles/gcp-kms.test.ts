import { KeyManagementServiceClient } from '@google-cloud/kms'
import { credentials, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GcpKmsDouble } from './gcp-kms.ts'

/** What Google documents for Encrypt and Decrypt, asked of the double by Google's client over gRPC and by fetch over REST. */
describe('the Google Cloud KMS double', () => {
  const double = new GcpKmsDouble()
  let client: KeyManagementServiceClient
  const plaintext = Buffer.from('secret')
  const additionalAuthenticatedData = Buffer.from('aad')
  const once = { timeout: 2000, retry: null }

  beforeAll(async () => {
    process.env.METADATA_SERVER_DETECTION = 'none' // Google's client would look for its cloud around it
    await double.start()
    client = new KeyManagementServiceClient({
      apiEndpoint: '127.0.0.1',
      port: double.grpcPort,
      sslCreds: credentials.createInsecure(),
    })
  })
  afterAll(async () => {
    await client.close()
    await double.stop()
  })

  it('opens with the same key and AAD alone, and names the version', async () => {
    const { name } = double.createKey()
    const [sealed] = await client.encrypt({ name, plaintext, additionalAuthenticatedData }, once)
    expect(sealed.name).toBe(`${name}/cryptoKeyVersions/1`)
    expect(sealed.verifiedPlaintextCrc32c).toBe(false) // no checksum was sent
    const { ciphertext = null } = sealed
    const [opened] = await client.decrypt({ name, ciphertext, additionalAuthenticatedData }, once)
    expect(Buffer.from(opened.plaintext as Uint8Array)).toEqual(plaintext)
    for (const request of [
      { name, ciphertext },
      { name: double.createKey().name, ciphertext, additionalAuthenticatedData },
    ]) {
      await expect(client.decrypt(request, once)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
    }
  })

  it('encrypts under a new primary and keeps opening what the old one wrote, until it is disabled', async () => {
    const key = double.createKey()
    const { name } = key
    const [{ ciphertext = null }] = await client.encrypt({ name, plaintext }, once)
    double.rotate(key)
    expect((await client.encrypt({ name, plaintext }, once))[0].name).toBe(`${name}/cryptoKeyVersions/2`)
    expect((await client.decrypt({ name, ciphertext }, once))[0].usedPrimary).toBe(false)
    const [first] = key.versions
    if (first !== undefined) first.state = 'DISABLED'
    await expect(client.decrypt({ name, ciphertext }, once)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION })
  })

  it('refuses a checksum that does not match', async () => {
    const { name } = double.createKey()
    const request = { name, plaintext, plaintextCrc32c: { value: 1 } }
    await expect(client.encrypt(request, once)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
  })

  it('speaks REST with the same state: base64 bytes, numbers as text, named codes', async () => {
    const { name } = double.createKey()
    const post = async (path: string, body: unknown, token = double.token) => {
      const response = await fetch(`${double.restEndpoint}/v1/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    const sealed = await post(`${name}:encrypt`, { plaintext: plaintext.toString('base64') })
    const [opened] = await client.decrypt(
      { name, ciphertext: Buffer.from(String(sealed.body.ciphertext), 'base64') },
      once,
    )
    expect(Buffer.from(opened.plaintext as Uint8Array)).toEqual(plaintext)
    expect(typeof sealed.body.ciphertextCrc32c).toBe('string')
    expect(await post(`${name}x:encrypt`, {})).toMatchObject({ status: 404, body: { error: { status: 'NOT_FOUND' } } })
    expect((await post(`${name}:encrypt`, {}, 'other')).status).toBe(401)
  })
})
