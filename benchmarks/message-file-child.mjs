import { createCipheriv, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
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

const contenders = {
  raw: () =>
    pipeline(createReadStream(from), createCipheriv('aes-256-gcm', key, randomBytes(12)), createWriteStream(to)),
  'raw-1MiB': () =>
    pipeline(
      createReadStream(from, { highWaterMark: MIB }),
      createCipheriv('aes-256-gcm', key, randomBytes(12)),
      createWriteStream(to),
    ),
  'seal-1': () => sealFile(kms, from, to, { ...options, threads: 1 }),
  'seal-2': () => sealFile(kms, from, to, { ...options, threads: 2 }),
  'seal-durable': () => sealFile(kms, from, to, { force: true, threads: 1 }),
  'open-1': () => openFile(kms, from, to, { ...options, threads: 1 }),
  'open-2': () => openFile(kms, from, to, { ...options, threads: 2 }),
  'seal-stream': () =>
    Readable.toWeb(createReadStream(from, { highWaterMark: MIB }))
      .pipeThrough(sealStream(kms))
      .pipeTo(Writable.toWeb(createWriteStream(to))),
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
