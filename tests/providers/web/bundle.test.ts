import { Buffer } from 'node:buffer'
import { webcrypto } from 'node:crypto'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import * as node from 'strongroom/raw'
import { describe, expect, it } from 'vitest'
import { openMessage, sealMessage } from '../../../src/messages/message.ts'
import { bundleForBrowser } from './bundle.ts'

const key = new Uint8Array(32).fill(7)
const kms = node.rawAes({ namespace: 'tests', name: 'k', key })

describe('the file that browsers load', () => {
  it('imports nothing, is small, and names nothing that only Node has', async () => {
    const file = await bundleForBrowser('esm')
    expect(file).not.toMatch(/^\s*import\b|\bimport\(|\brequire\(|node:/m)
    expect(file).not.toMatch(/\b(Buffer|process|__dirname|setImmediate)\b(?![^\n]*\*\/)(?=[.([])/)
    expect(gzipSync(file).length).toBeLessThan(18_000)
  })

  it('seals and opens where nothing is but what a browser has', async () => {
    const context = browser()
    runInContext(await bundleForBrowser('iife'), context)
    const message = await sealMessage(kms, 'from the server', { context: { order: '4711' } })
    context.input = new Uint8Array(message)
    const sealed = await runInContext(
      `(async () => {
        const kms = strongroom.rawAes({ namespace: 'tests', name: 'k', key: new Uint8Array(32).fill(7) })
        const { plaintext } = await strongroom.openMessage(kms, input, { context: { order: '4711' } })
        return strongroom.sealMessage(kms, new TextDecoder().decode(plaintext) + ', and back', { suite: 0x0578 })
      })()`,
      context,
    )
    const opened = await openMessage(kms, Buffer.from(sealed))
    expect(opened.plaintext.toString()).toBe('from the server, and back')
  })

  it('says what is missing on a page that came over http', async () => {
    const context = browser()
    context.crypto = { getRandomValues: (bytes: Uint8Array) => webcrypto.getRandomValues(bytes) }
    runInContext(await bundleForBrowser('iife'), context)
    const failed = runInContext(
      `(async () => {
        const wrapped = { provider: 'n', keyId: 'k', ciphertext: new Uint8Array(1) }
        const kms = { name: 'n', keyId: 'k', wrap: async () => wrapped, unwrap() {}, accepts: () => true }
        return strongroom.sealMessage(kms, 'x').catch(({ code, message }) => code + ' ' + message)
      })()`,
      context,
    )
    expect(await failed).toMatch(/^ERR_CONFIG crypto\.subtle is missing: .*https/)
  })
})

/** A global object of its own with the language, and of the platform what pages have. */
function browser() {
  return createContext({
    Uint8Array, // the same as out here, so that bytes can be handed in and out
    crypto: webcrypto,
    TextEncoder,
    TextDecoder,
    TransformStream,
    AbortController,
    atob,
    btoa,
  }) as Record<string, unknown>
}
