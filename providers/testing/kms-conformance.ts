import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { randomBytes } from '../../src/crypto/random.ts'
import { KmsError } from '../../src/errors.ts'
import type { KmsProvider, WrappedKey } from '../../src/kms.ts'
import { type ConformanceCase, casesOf } from './conformance-case.ts'
import { assertHidden } from './hidden.ts'

/** What the suite needs to know about a key management service. */
export interface KmsHarness {
  /** The provider to prove. */
  readonly provider: KmsProvider
  /** The same kind of provider configured for another key. Without one, the cases that need it check nothing. */
  readonly other?: KmsProvider
  /** Calls that reached the service so far, to prove that a refused key makes none. */
  readonly calls?: () => number
  /** Secrets the provider holds (tokens, keys), which must not be found in it or in its errors. */
  readonly secrets?: readonly Uint8Array[]
  /**
   * True when the service reads its ciphertext from a text that can be written in several ways, as lenient base64 can:
   * a changed ciphertext may then give the same key, but never another one.
   */
  readonly lenientCiphertext?: boolean
  /**
   * False when what it writes is laid out by others and does not hold the context, so that only the message around it
   * does: the cases about wrong contexts then check nothing. Such a provider says so in its documentation.
   */
  readonly bindsContext?: boolean
  /** Called after each case. */
  readonly close?: () => Promise<void>
}

/**
 * Every promise of the `KmsProvider` contract, for any test runner:
 *
 *     for (const { name, run } of kmsConformance(async () => ({ provider: myKms(), other: myKms({ keyId: 'b' }) })))
 *       test(name, run)
 *
 * @param make called before each case; its `close` is called after
 */
export function kmsConformance(make: () => Promise<KmsHarness>): ConformanceCase[] {
  return casesOf(make, promises)
}

const CONTEXT = { purpose: 'conformance', table: 'users', tenant: 'acme' }
const CONCURRENT = 50
const MAX_FLIPS = 512

const promises: Record<string, (harness: KmsHarness) => Promise<void>> = {
  'a wrapped key unwraps to the same 32 bytes': async ({ provider }) => {
    const key = randomBytes(32)
    const wrapped = await provider.wrap(key, { context: CONTEXT })
    assert.deepEqual(Buffer.from(await provider.unwrap(wrapped, { context: CONTEXT })), key)
  },

  'a wrapped key has the shape of the contract and names its provider and key': async ({ provider }) => {
    const wrapped = await provider.wrap(randomBytes(32), { context: CONTEXT })
    assert.equal(wrapped.provider, provider.name)
    assert.ok(wrapped.provider.length > 0 && wrapped.provider.length <= 64, 'provider is 1 to 64 characters')
    assert.ok(wrapped.keyId.length > 0 && wrapped.keyId.length <= 2048, 'keyId is 1 to 2,048 characters')
    assert.ok(wrapped.ciphertext instanceof Uint8Array, 'ciphertext is a Uint8Array')
    assert.ok(
      wrapped.ciphertext.byteLength > 0 && wrapped.ciphertext.byteLength <= 8192,
      'ciphertext is 1 to 8,192 bytes',
    )
    assert.equal(provider.accepts(wrapped), true)
  },

  'a wrapped key survives being stored and read again': async ({ provider }) => {
    const key = randomBytes(32)
    const { provider: name, keyId, ciphertext } = await provider.wrap(key, { context: CONTEXT })
    const stored = JSON.parse(JSON.stringify({ name, keyId, text: Buffer.from(ciphertext).toString('base64url') }))
    const read = {
      provider: stored.name,
      keyId: stored.keyId,
      ciphertext: Uint8Array.from(Buffer.from(stored.text, 'base64url')),
    }
    assert.deepEqual(Buffer.from(await provider.unwrap(read, { context: CONTEXT })), key)
  },

  'two wraps of one key differ': async ({ provider }) => {
    const key = randomBytes(32)
    const a = await provider.wrap(key, { context: CONTEXT })
    const b = await provider.wrap(key, { context: CONTEXT })
    assert.notDeepEqual(Buffer.from(a.ciphertext), Buffer.from(b.ciphertext))
  },

  'keys of all zeros and all ones survive': async ({ provider }) => {
    for (const byte of [0, 255]) {
      const key = Buffer.alloc(32, byte)
      const wrapped = await provider.wrap(key, { context: CONTEXT })
      assert.deepEqual(Buffer.from(await provider.unwrap(wrapped, { context: CONTEXT })), key)
    }
  },

  'a wrong context is refused: changed, missing, added, renamed, swapped, empty': async ({
    provider,
    bindsContext = true,
  }) => {
    if (!bindsContext) return
    const wrapped = await provider.wrap(randomBytes(32), { context: CONTEXT })
    const { tenant: _, ...missing } = CONTEXT
    const wrong = [
      { ...CONTEXT, tenant: 'globex' },
      { ...CONTEXT, tenant: 'Acme' },
      { ...CONTEXT, tenant: 'acme ' },
      missing,
      { ...CONTEXT, more: 'x' },
      { ...missing, Tenant: 'acme' },
      { ...CONTEXT, table: CONTEXT.tenant, tenant: CONTEXT.table },
      {},
    ]
    for (const context of wrong)
      await assertRefused(provider.unwrap(wrapped, { context }), ['context-mismatch', 'invalid-ciphertext'])
  },

  'an empty context is bound like any other': async ({ provider, bindsContext = true }) => {
    if (!bindsContext) return
    const key = randomBytes(32)
    const wrapped = await provider.wrap(key, { context: {} })
    assert.deepEqual(Buffer.from(await provider.unwrap(wrapped, { context: {} })), key)
    await assertRefused(provider.unwrap(wrapped, { context: CONTEXT }), ['context-mismatch', 'invalid-ciphertext'])
  },

  'a context of any script is bound byte for byte, without normalisation': async ({
    provider,
    bindsContext = true,
  }) => {
    if (!bindsContext) return
    const key = randomBytes(32)
    const wrapped = await provider.wrap(key, { context: { 名前: 'caf\u00e9', '🔑': '東京 עברית' } })
    assert.deepEqual(
      Buffer.from(await provider.unwrap(wrapped, { context: { 名前: 'caf\u00e9', '🔑': '東京 עברית' } })),
      key,
    )
    await assertRefused(provider.unwrap(wrapped, { context: { 名前: 'cafe\u0301', '🔑': '東京 עברית' } }), [
      'context-mismatch',
      'invalid-ciphertext',
    ])
  },

  'the order of the context does not matter': async ({ provider }) => {
    const key = randomBytes(32)
    const wrapped = await provider.wrap(key, { context: { a: '1', B: '2', c: '3' } })
    assert.deepEqual(Buffer.from(await provider.unwrap(wrapped, { context: { c: '3', B: '2', a: '1' } })), key)
  },

  'a ciphertext with any byte changed is refused': async (harness) => {
    const key = randomBytes(32)
    const wrapped = await harness.provider.wrap(key, { context: CONTEXT })
    const length = wrapped.ciphertext.byteLength
    const step = Math.max(1, Math.ceil(length / MAX_FLIPS))
    for (let at = 0; at < length; at += step) {
      const changed = Buffer.from(wrapped.ciphertext)
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      await assertTampered(harness, key, { ...wrapped, ciphertext: changed }, `byte ${at} of ${length} changed`)
    }
  },

  'a truncated, extended, empty or foreign ciphertext is refused': async (harness) => {
    const key = randomBytes(32)
    const wrapped = await harness.provider.wrap(key, { context: CONTEXT })
    const whole = Buffer.from(wrapped.ciphertext)
    const changed: Record<string, Buffer> = {
      'one byte short': whole.subarray(0, -1),
      'first byte missing': whole.subarray(1),
      'half of it': whole.subarray(0, whole.byteLength >> 1),
      'one zero more': Buffer.concat([whole, Buffer.alloc(1)]),
      twice: Buffer.concat([whole, whole]),
      empty: Buffer.alloc(0),
      zeros: Buffer.alloc(whole.byteLength),
      random: randomBytes(Math.min(whole.byteLength, 4096)),
      'at the limit of 8,192 bytes': Buffer.alloc(8192, 0x5a),
    }
    for (const [what, ciphertext] of Object.entries(changed)) {
      await assertTampered(harness, key, { ...wrapped, ciphertext }, what)
    }
  },

  'the ciphertexts of two keys cannot be swapped between contexts': async ({ provider, bindsContext = true }) => {
    if (!bindsContext) return
    const a = await provider.wrap(randomBytes(32), { context: { row: 'a' } })
    const b = await provider.wrap(randomBytes(32), { context: { row: 'b' } })
    await assertRefused(provider.unwrap({ ...b }, { context: { row: 'a' } }), [
      'context-mismatch',
      'invalid-ciphertext',
    ])
    await assertRefused(provider.unwrap({ ...a }, { context: { row: 'b' } }), [
      'context-mismatch',
      'invalid-ciphertext',
    ])
  },

  'a key wrapped under another key is not accepted and is refused': async ({ provider, other, calls }) => {
    if (other === undefined) return
    const foreign = await other.wrap(randomBytes(32), { context: CONTEXT })
    assert.equal(provider.accepts(foreign), false)
    const before = calls?.()
    await assertRefused(provider.unwrap(foreign, { context: CONTEXT }))
    assert.equal(calls?.(), before, 'the service was called for a key that is not configured')
    const own = await provider.wrap(randomBytes(32), { context: CONTEXT })
    await assertRefused(provider.unwrap({ ...own, ciphertext: foreign.ciphertext }, { context: CONTEXT }))
  },

  'a wrapped key that names another key, host or provider is refused without a call': async ({ provider, calls }) => {
    const wrapped = await provider.wrap(randomBytes(32), { context: CONTEXT })
    const before = calls?.()
    const strange = [
      { ...wrapped, provider: `${wrapped.provider}x` },
      { ...wrapped, keyId: `${wrapped.keyId}x` },
      { ...wrapped, keyId: '' },
      { ...wrapped, keyId: 'https://attacker.example/keys/1' },
      { ...wrapped, keyId: 'arn:aws:kms:eu-west-1:999999999999:key/00000000-0000-0000-0000-000000000000' },
      { ...wrapped, keyId: '__proto__' },
      { ...wrapped, keyId: '../../etc/passwd' },
    ]
    for (const foreign of strange) {
      assert.equal(provider.accepts(foreign), false, `accepts ${foreign.provider} ${foreign.keyId}`)
      await assertRefused(provider.unwrap(foreign, { context: CONTEXT }))
    }
    assert.equal(calls?.(), before, 'the service was called for a key that is not configured')
  },

  'accepts makes no call': async ({ provider, calls }) => {
    const wrapped = await provider.wrap(randomBytes(32), { context: CONTEXT })
    const before = calls?.()
    provider.accepts(wrapped)
    assert.equal(calls?.(), before)
  },

  'the key and the context that are given are not changed': async ({ provider }) => {
    const key = randomBytes(32)
    const before = Buffer.from(key)
    const context = { ...CONTEXT }
    const wrapped = await provider.wrap(key, { context })
    const ciphertext = Buffer.from(wrapped.ciphertext)
    await provider.unwrap(wrapped, { context })
    assert.deepEqual(key, before)
    assert.deepEqual(context, CONTEXT)
    assert.deepEqual(Buffer.from(wrapped.ciphertext), ciphertext)
  },

  'an unwrapped key is in memory of its own, so that wiping it wipes nothing else': async ({ provider }) => {
    const key = randomBytes(32)
    const wrapped = await provider.wrap(key, { context: CONTEXT })
    const first = await provider.unwrap(wrapped, { context: CONTEXT })
    assert.equal(first.byteLength, 32)
    assert.equal(first.buffer.byteLength, 32, 'the key is a slice of larger memory')
    const second = await provider.unwrap(wrapped, { context: CONTEXT })
    first.fill(0)
    assert.deepEqual(Buffer.from(second), key)
    assert.deepEqual(Buffer.from(await provider.unwrap(wrapped, { context: CONTEXT })), key)
  },

  [`${CONCURRENT} keys at once each come back as themselves`]: async ({ provider }) => {
    await Promise.all(
      Array.from({ length: CONCURRENT }, async (_, row) => {
        const key = randomBytes(32)
        const context = { ...CONTEXT, row: String(row) }
        const wrapped = await provider.wrap(key, { context })
        assert.deepEqual(Buffer.from(await provider.unwrap(wrapped, { context })), key)
      }),
    )
  },

  'a signal that is already aborted rejects with its reason, without a call': async ({ provider, calls }) => {
    const wrapped = await provider.wrap(randomBytes(32), { context: CONTEXT })
    const before = calls?.()
    const reason = new Error('the caller went away')
    const signal = AbortSignal.abort(reason)
    await assert.rejects(provider.wrap(randomBytes(32), { context: CONTEXT, signal }), (error) => error === reason)
    await assert.rejects(provider.unwrap(wrapped, { context: CONTEXT, signal }), (error) => error === reason)
    assert.equal(calls?.(), before)
  },

  'a signal that aborts during a call ends it with the result or the reason': async ({ provider }) => {
    const controller = new AbortController()
    const reason = new Error('the caller went away')
    const call = provider.wrap(randomBytes(32), { context: CONTEXT, signal: controller.signal })
    controller.abort(reason)
    await call.then(
      (wrapped) => assert.equal(provider.accepts(wrapped), true),
      (error) => assert.equal(error, reason),
    )
  },

  'a key or a context of the wrong type is a TypeError': async ({ provider }) => {
    await assert.rejects(provider.wrap('x'.repeat(32) as never, { context: CONTEXT }), TypeError)
    await assert.rejects(provider.wrap(randomBytes(32), { context: { tenant: 7 } as never }), TypeError)
    await assert.rejects(provider.wrap(randomBytes(32), { context: { tenant: '\ud800' } }), TypeError)
  },

  'a key that the service rewraps is the same key, bound to the same context': async ({ provider }) => {
    if (provider.rewrap === undefined) return
    const key = randomBytes(32)
    const wrapped = await provider.wrap(key, { context: CONTEXT })
    const again = await provider.rewrap(wrapped, { context: CONTEXT })
    assert.notDeepEqual(Buffer.from(again.ciphertext), Buffer.from(wrapped.ciphertext))
    assert.equal(provider.accepts(again), true)
    assert.deepEqual(Buffer.from(await provider.unwrap(again, { context: CONTEXT })), key)
    await assertRefused(provider.unwrap(again, { context: {} }), ['context-mismatch', 'invalid-ciphertext'])
    await assertRefused(provider.rewrap(wrapped, { context: {} }), ['context-mismatch', 'invalid-ciphertext'])
    await assertRefused(provider.rewrap({ ...wrapped, keyId: `${wrapped.keyId}x` }, { context: CONTEXT }))
  },

  'neither the provider nor its errors show a secret': async ({ provider, secrets = [] }) => {
    const key = randomBytes(32)
    const hidden = [key, ...secrets]
    const wrapped = await provider.wrap(key, { context: CONTEXT })
    assertHidden(wrapped.keyId, hidden)
    assertHidden(provider, hidden)
    for (const bad of [
      { ...wrapped, ciphertext: Buffer.from(wrapped.ciphertext).subarray(1) },
      { ...wrapped, keyId: 'x' },
    ]) {
      const error = await provider.unwrap(bad, { context: CONTEXT }).then(
        () => assert.fail('a changed wrapped key was accepted'),
        (thrown: unknown) => thrown,
      )
      assertHidden(error, hidden)
    }
  },
}

const KINDS = new Set([
  'throttled',
  'unavailable',
  'denied',
  'key-disabled',
  'key-not-found',
  'context-mismatch',
  'invalid-ciphertext',
  'misconfigured',
])

async function assertRefused(call: Promise<unknown>, kinds?: readonly string[]): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(
      error instanceof KmsError,
      `expected a KmsError, received ${error instanceof Error ? error.stack : typeof error}`,
    )
    assert.ok(KINDS.has(error.kind), `unknown kind ${error.kind}`)
    assert.equal(error.retryable, false, `a refusal must not be retried, but its kind is ${error.kind}`)
    if (kinds !== undefined)
      assert.ok(kinds.includes(error.kind), `expected kind ${kinds.join(' or ')}, received ${error.kind}`)
    return true
  })
}

async function assertTampered(harness: KmsHarness, key: Buffer, wrapped: WrappedKey, what: string): Promise<void> {
  const result = await harness.provider.unwrap(wrapped, { context: CONTEXT }).then(
    (unwrapped) => Buffer.from(unwrapped),
    (error: unknown) => error,
  )
  if (Buffer.isBuffer(result)) {
    assert.ok(harness.lenientCiphertext === true && result.equals(key), `accepted a ciphertext with ${what}`)
  } else {
    await assertRefused(Promise.reject(result))
  }
}
