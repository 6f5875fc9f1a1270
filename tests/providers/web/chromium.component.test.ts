import { Buffer } from 'node:buffer'
import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium, type Page } from 'playwright-core'
import * as node from 'strongroom/raw'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type * as web from '../../../providers/web/index.ts'
import { DecryptionError } from '../../../src/errors.ts'
import { openMessage, sealMessage } from '../../../src/messages/message.ts'
import { describeComponent } from '../../components/component.ts'
import { pattern, rsaPair } from '../../messages/fixtures.ts'
import { bundleForBrowser } from './bundle.ts'

const CHROMIUM = '/usr/bin/chromium'
const missing = existsSync(CHROMIUM) ? undefined : 'apt-get install chromium'

const key = Buffer.alloc(32, 7)
const aes = node.rawAes({ namespace: 'tests', name: 'aes', key })
const intake = { namespace: 'tests', name: 'intake' }
const privateKey = rsaPair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
const publicKey = rsaPair.publicKey.export({ type: 'spki', format: 'pem' }) as string
const vault = node.rawRsa({ ...intake, privateKey })

/** What runs in the page gets its own copy of the package under this name. */
declare const strongroom: typeof web

describeComponent('in Chromium', missing, () => {
  let server: Server
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    const script = await bundleForBrowser('esm')
    server = createServer((request, response) => {
      const isScript = request.url === '/strongroom.js'
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8')
      response.setHeader('content-security-policy', "default-src 'none'; script-src 'self'")
      response.end(isScript ? script : '<!doctype html><script type="module" src="/strongroom.js"></script>')
    }).listen(0, '127.0.0.1')
    await new Promise((ready) => server.once('listening', ready))
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage'],
    })
    page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await page.evaluate("import('/strongroom.js').then((module) => { globalThis.strongroom = module })")
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    server?.closeAllConnections()
    server?.close()
  })

  it('a page seals card data with a public key, and only the holder of the private key opens it', async () => {
    const sealed = await page.evaluate(
      async ({ intake, publicKey }) => {
        const kms = strongroom.rawRsa({ ...intake, publicKey })
        const message = await strongroom.sealMessage(kms, '4111 1111 1111 1111', { context: { order: '4711' } })
        const refused = await strongroom.openMessage(kms, message).catch(({ code, kind }) => `${code} ${kind}`)
        return { message: [...message], refused }
      },
      { intake, publicKey },
    )
    expect(sealed.refused).toBe('ERR_KMS denied')
    const message = Buffer.from(sealed.message)
    const opened = await openMessage(vault, message, { context: { order: '4711' } })
    expect(opened.plaintext.toString()).toBe('4111 1111 1111 1111')
    await expect(openMessage(aes, message)).rejects.toThrow(DecryptionError)
    await expect(openMessage(vault, message, { context: { order: '4712' } })).rejects.toThrow(DecryptionError)
  })

  it('a page opens what Node sealed, in both suites, of many frames, and refuses what was changed', async () => {
    for (const suite of [0x0478, 0x0578] as const) {
      const message = await sealMessage(aes, pattern(300_000), { suite, context: { a: '1', ä: '🌍' } })
      const opened = await page.evaluate(
        async ({ key, message }) => {
          const kms = strongroom.rawAes({ namespace: 'tests', name: 'aes', key: new Uint8Array(key) })
          const bytes = Uint8Array.from(atob(message), (char) => char.charCodeAt(0))
          const { plaintext, context } = await strongroom.openMessage(kms, bytes, { context: { a: '1' } })
          const refusals = new Set<string>()
          for (let at = 0; at < bytes.length; at += 9973) {
            const bad = bytes.slice()
            bad[at] = (bad[at] as number) ^ 1
            refusals.add(
              await strongroom.openMessage(kms, bad).then(
                () => 'opened',
                ({ code }) => code,
              ),
            )
          }
          const digest = await crypto.subtle.digest('SHA-256', plaintext as Uint8Array<ArrayBuffer>)
          return { digest: [...new Uint8Array(digest)], context: { ...context }, refusals: [...refusals] }
        },
        { key: [...key], message: message.toString('base64') },
      )
      const digest = await crypto.subtle.digest('SHA-256', pattern(300_000))
      expect(Buffer.from(opened.digest).equals(Buffer.from(digest))).toBe(true)
      expect(opened.context).toEqual({ a: '1', ä: '🌍' })
      expect(opened.refusals).toEqual(['ERR_DECRYPTION_FAILED'])
    }
  })

  it('a page signs, and seals and opens streams, with keys that it cannot read', async () => {
    const result = await page.evaluate(
      async (jwk) => {
        const secret = await crypto.subtle.importKey('jwk', jwk, 'AES-GCM', false, ['encrypt', 'decrypt'])
        const kms = strongroom.rawAes({ namespace: 'tests', name: 'aes', key: secret })
        const file = new Blob([new Uint8Array(1_000_000).fill(7)])
        const sealed = await new Response(file.stream().pipeThrough(strongroom.sealStream(kms))).arrayBuffer()
        const opening = new Blob([sealed]).stream().pipeThrough(strongroom.openStream(kms))
        const opened = new Uint8Array(await new Response(opening).arrayBuffer())
        const signed = await strongroom.sealMessage(kms, 'signed', { suite: 0x0578 })
        return {
          opened: opened.length === 1_000_000 && opened.every((byte) => byte === 7),
          sealed: btoa(Array.from(new Uint8Array(sealed), (byte) => String.fromCharCode(byte)).join('')),
          signed: [...signed],
        }
      },
      { kty: 'oct', k: key.toString('base64url') },
    )
    expect(result.opened).toBe(true)
    const { plaintext } = await openMessage(aes, Buffer.from(result.sealed, 'base64'))
    expect(plaintext.equals(Buffer.alloc(1_000_000, 7))).toBe(true)
    expect((await openMessage(aes, Buffer.from(result.signed))).plaintext.toString()).toBe('signed')
  })

  it('a page is told when its browser has no keys of 192 bits', async () => {
    const told = await page.evaluate(async () => {
      const kms = strongroom.rawAes({ namespace: 'tests', name: 'k', key: new Uint8Array(24) })
      return strongroom.sealMessage(kms, 'x').then(
        () => 'sealed',
        ({ code, kind }) => `${code} ${kind}`,
      )
    })
    expect(told).toBe('ERR_KMS misconfigured')
  })
})
