import { createCipheriv, randomBytes } from 'node:crypto'
import { closeSync, createReadStream, createWriteStream, openSync, readSync, writeSync, writevSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { openFile, sealFile, sealStream } from '../dist/index.js'
import { rawAes } from '../dist/raw.js'

// One contender, one file, one process, so that its memory is its own. Prints seconds and peak memory as JSON.
const [contender = '', from = '', to = ''] = process.argv.slice(2)
const key = new Uint8Array(32).fill(7)
const kms = rawAes({ namespace: 'bench', name: 'key', key })
const options = { force: true, durable: false }
const MIB = 1024 * 1024
const FRAME = 65_536
const fromPeers = createRequire(new URL('./peers/package.json', import.meta.url))

const contenders = {
  // What the file system alone takes: nothing is encrypted, and nothing waits that could go on.
  copy: async () => {
    const [input, output] = [await open(from), await open(to, 'w')]
    let [chunk, other] = [Buffer.allocUnsafeSlow(MIB), Buffer.allocUnsafeSlow(MIB)]
    let writing
    for (let { bytesRead } = await input.read(chunk, 0, MIB); bytesRead > 0; ) {
      await writing
      writing = output.write(chunk, 0, bytesRead)
      ;[chunk, other] = [other, chunk]
      ;({ bytesRead } = await input.read(chunk, 0, MIB))
    }
    await writing
    await Promise.all([input.close(), output.close()])
  },
  raw: () =>
    pipeline(createReadStream(from), createCipheriv('aes-256-gcm', key, randomBytes(12)), createWriteStream(to)),
  'raw-1MiB': () =>
    pipeline(
      createReadStream(from, { highWaterMark: MIB }),
      createCipheriv('aes-256-gcm', key, randomBytes(12)),
      createWriteStream(to),
    ),
  loop: () => {
    const [input, output] = [openSync(from, 'r'), openSync(to, 'w')]
    const chunk = Buffer.allocUnsafeSlow(MIB)
    const [nonce, header] = [Buffer.alloc(12), Buffer.alloc(20)]
    for (let number = 1, read = readSync(input, chunk); read > 0; read = readSync(input, chunk)) {
      const parts = []
      for (let at = 0; at < read; at += FRAME) {
        nonce.writeUInt32BE(number++, 8)
        const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 }).setAAD(header)
        parts.push(Buffer.from(nonce), cipher.update(chunk.subarray(at, Math.min(read, at + FRAME))))
        cipher.final()
        parts.push(cipher.getAuthTag())
      }
      writevSync(output, parts)
    }
    closeSync(input)
    closeSync(output)
  },
  secretstream: () => {
    const sodium = fromPeers('sodium-native')
    const { crypto_secretstream_xchacha20poly1305_ABYTES: extra } = sodium
    const state = Buffer.alloc(sodium.crypto_secretstream_xchacha20poly1305_STATEBYTES)
    const header = Buffer.alloc(sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES)
    sodium.crypto_secretstream_xchacha20poly1305_init_push(state, header, Buffer.from(key))
    const [input, output] = [openSync(from, 'r'), openSync(to, 'w')]
    const chunk = Buffer.allocUnsafeSlow(MIB)
    const sealed = Buffer.allocUnsafeSlow(MIB + (MIB / FRAME) * extra)
    const tag = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
    writeSync(output, header)
    for (let read = readSync(input, chunk); read > 0; read = readSync(input, chunk)) {
      let length = 0
      for (let at = 0; at < read; at += FRAME) {
        const plain = chunk.subarray(at, Math.min(read, at + FRAME))
        const out = sealed.subarray(length, length + plain.length + extra)
        length += sodium.crypto_secretstream_xchacha20poly1305_push(state, out, plain, null, tag)
      }
      writeSync(output, sealed, 0, length)
    }
    closeSync(input)
    closeSync(output)
  },
  'age-npm': async () => {
    const { Encrypter, generateX25519Identity, identityToRecipient } = await import(
      new URL('./peers/node_modules/age-encryption/dist/index.js', import.meta.url)
    )
    const age = new Encrypter()
    age.addRecipient(await identityToRecipient(await generateX25519Identity()))
    const sealed = await age.encrypt(Readable.toWeb(createReadStream(from, { highWaterMark: MIB })))
    await sealed.pipeTo(Writable.toWeb(createWriteStream(to)))
  },
  'seal-1': () => sealFile(kms, from, to, { ...options, threads: 1 }),
  'seal-2': () => sealFile(kms, from, to, { ...options, threads: 2 }),
  'seal-durable': () => sealFile(kms, from, to, { force: true, threads: 1 }),
  'open-1': () => openFile(kms, from, to, { ...options, threads: 1 }),
  'open-2': () => openFile(kms, from, to, { ...options, threads: 2 }),
  // Not `Writable.toWeb`, whose queue counts chunks where it means bytes: it holds whatever the disk is slower by.
  'seal-stream': () => pipeline(createReadStream(from, { highWaterMark: MIB }), sealStream(kms), createWriteStream(to)),
  aws: async () => {
    const { buildClient, CommitmentPolicy, RawAesKeyringNode, RawAesWrappingSuiteIdentifier } = await import(
      '@aws-crypto/client-node'
    )
    const keyring = new RawAesKeyringNode({
      keyNamespace: 'bench',
      keyName: 'key',
      unencryptedMasterKey: key,
      wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
    })
    const { encryptStream } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    await pipeline(
      createReadStream(from),
      encryptStream(keyring, { suiteId: 0x0478, frameLength: 65_536 }),
      createWriteStream(to),
    )
  },
}

const run = contenders[contender]
if (run === undefined) throw new Error(`no contender ${contender}`)
const start = performance.now()
await run()
const seconds = (performance.now() - start) / 1000
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
process.stdout.write(
  JSON.stringify({
    seconds,
    rss: maxRSS / 1024,
    cpu: (userCPUTime + systemCPUTime) / 1e6,
  }),
)
