import { Buffer } from 'node:buffer'
import { importPeer } from '../../src/optional-peer.ts'
import { type GcpCallOptions, type GcpKmsClient, HOST } from './client.ts'
import { CODE_NAMES } from './faults.ts'

const SCOPE = 'https://www.googleapis.com/auth/cloudkms'
const MAX_ANSWER = 262_144

/** An OAuth access token for Cloud KMS; asked for before every call, so keep it until it expires. */
export type AccessToken = () => Promise<string>

/**
 * The two calls over HTTPS and JSON, with the global `fetch`: nothing to install but a source of tokens, and a fraction of
 * the start-up time of the gRPC client. Redirects are refused. Cloud KMS API v1, cryptoKeys.encrypt and decrypt.
 */
export function connectRest(endpoint: URL | undefined, accessToken: AccessToken | undefined): GcpKmsClient {
  const base = endpoint?.href.replace(/\/$/, '') ?? `https://${HOST}`
  const token = accessToken ?? applicationDefault()

  async function post(
    name: string,
    verb: 'encrypt' | 'decrypt',
    body: Readonly<Record<string, string>>,
    { signal, timeout }: GcpCallOptions,
  ): Promise<Record<string, unknown>> {
    const limit = AbortSignal.timeout(timeout)
    const response = await fetch(`${base}/v1/${name}:${verb}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await token()}` },
      body: JSON.stringify(body),
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    }).catch((error) => {
      throw networkError(error)
    })
    const answer = await readJson(response)
    if (response.ok) return answer
    throw statusError(response.status, answer)
  }

  return {
    async encrypt({ name, plaintext, plaintextCrc32c, ...aad }, options) {
      const answer = await post(
        name,
        'encrypt',
        {
          plaintext: base64(plaintext),
          plaintextCrc32c: String(plaintextCrc32c.value),
          additionalAuthenticatedData: base64(aad.additionalAuthenticatedData),
          additionalAuthenticatedDataCrc32c: String(aad.additionalAuthenticatedDataCrc32c.value),
        },
        options,
      )
      return [
        {
          name: text(answer.name),
          ciphertext: Buffer.from(text(answer.ciphertext), 'base64'),
          ciphertextCrc32c: { value: text(answer.ciphertextCrc32c) },
          verifiedPlaintextCrc32c: answer.verifiedPlaintextCrc32c === true,
          verifiedAdditionalAuthenticatedDataCrc32c: answer.verifiedAdditionalAuthenticatedDataCrc32c === true,
        },
      ]
    },

    async decrypt({ name, ciphertext, ciphertextCrc32c, ...aad }, options) {
      const answer = await post(
        name,
        'decrypt',
        {
          ciphertext: base64(ciphertext),
          ciphertextCrc32c: String(ciphertextCrc32c.value),
          additionalAuthenticatedData: base64(aad.additionalAuthenticatedData),
          additionalAuthenticatedDataCrc32c: String(aad.additionalAuthenticatedDataCrc32c.value),
        },
        options,
      )
      return [
        {
          plaintext: Buffer.from(text(answer.plaintext), 'base64'),
          plaintextCrc32c: { value: text(answer.plaintextCrc32c) },
        },
      ]
    },
  }
}

function applicationDefault(): AccessToken {
  let auth: Promise<{ getAccessToken(): Promise<string | null | undefined> }> | undefined
  return async () => {
    auth ??= importPeer('google-auth-library', 'gcpKms over REST', () => import('google-auth-library')).then(
      ({ GoogleAuth }) => new GoogleAuth({ scopes: [SCOPE] }),
    )
    return (await (await auth).getAccessToken()) ?? ''
  }
}

async function readJson(response: Response): Promise<Record<string, unknown>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_ANSWER) throw Object.assign(new Error(`the answer is longer than ${MAX_ANSWER} bytes`), { code: 12 })
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** As the gRPC client throws it: with the number of the code. */
function statusError(status: number, answer: Record<string, unknown>): Error {
  const { status: name, message } = (answer.error ?? {}) as { status?: unknown; message?: unknown }
  const known = typeof name === 'string' && Object.hasOwn(CODE_NAMES, name) ? CODE_NAMES[name] : undefined
  const code =
    known ??
    (status === 401 ? 16 : status === 403 ? 7 : status === 404 ? 5 : status === 429 ? 8 : status >= 500 ? 14 : 12)
  const words = status >= 300 && status < 400 ? 'a redirect, which is not followed' : text(message).slice(0, 300)
  return Object.assign(new Error(`answered ${status}: ${words}`), { code })
}

/** What `fetch` hides behind "fetch failed". */
function networkError(error: unknown): unknown {
  const { name, cause } = (error ?? {}) as { name?: string; cause?: { code?: unknown } }
  if (name === 'TimeoutError') return Object.assign(new Error('did not answer in time'), { code: 4 })
  if (typeof cause?.code !== 'string') return error
  return Object.assign(new Error('fetch failed', { cause: error }), { code: cause.code })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
