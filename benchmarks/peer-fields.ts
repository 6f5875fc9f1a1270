import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { Contender } from './measure.ts'
import { loadPeer } from './peers.ts'

/** A library of others that encrypts one field. */
export interface FieldPeer {
  readonly name: string
  /** What is measured as one operation. */
  readonly encrypt: Contender
  readonly decrypt?: Contender
  /** How many times as fast a record field must be. */
  readonly encryptTarget: number
  readonly decryptTarget?: number
}

/** Peers that are installed, each ready to encrypt `texts`, and the names of those that are not. */
export async function openFieldPeers(texts: readonly string[]): Promise<{ peers: FieldPeer[]; missing: string[] }> {
  const peers: FieldPeer[] = []
  const missing: string[] = []
  for (const [name, open] of openers) {
    const opened = await open(texts)
    if (opened === undefined) missing.push(name)
    else peers.push(...opened)
  }
  return { peers, missing }
}

type Open = (texts: readonly string[]) => Promise<FieldPeer[] | undefined>

const openers: readonly [name: string, open: Open][] = [
  ['@47ng/cloak', openCloak],
  ['prisma-field-encryption', openPrisma],
  ['ciphersweet-js', openCiphersweet],
  ['mongodb-client-encryption', openMongodb],
]

async function openCloak(texts: readonly string[]): Promise<FieldPeer[] | undefined> {
  const cloak = loadPeer('@47ng/cloak')
  if (cloak === undefined) return undefined
  const key = cloak.parseKeySync(cloak.generateKey())
  const sealed = texts.map((text) => cloak.encryptStringSync(text, key))
  return [
    {
      name: '@47ng/cloak (binds no context)',
      encrypt: { name: 'encrypt', run: (i) => cloak.encryptStringSync(pick(texts, i), key) },
      decrypt: { name: 'decrypt', run: (i) => cloak.decryptStringSync(pick(sealed, i), key) },
      encryptTarget: 1.7,
      decryptTarget: 1.5,
    },
  ]
}

/** What its Prisma extension does to the arguments of a `create` with one encrypted field, and to the result. */
async function openPrisma(texts: readonly string[]): Promise<FieldPeer[] | undefined> {
  const cloak = loadPeer('@47ng/cloak')
  const path = loadPeer('prisma-field-encryption/dist/encryption.js')
  const dmmf = loadPeer('prisma-field-encryption/dist/dmmf.js')
  if (cloak === undefined || path === undefined || dmmf === undefined) return undefined
  const keys = path.configureKeys({ encryptionKey: cloak.generateKey() })
  const models = dmmf.analyseDMMF({ datamodel: { models: [PRISMA_MODEL] } })
  const params = (i: number, email: string) => ({
    args: { data: { id: i, email } },
    model: 'User',
    action: 'create',
    dataPath: [],
    runInTransaction: false,
  })
  const write = (i: number) => path.encryptOnWrite(params(i, pick(texts, i)), keys, models, 'create')
  const sealed = texts.map((_, i) => write(i).args.data.email as string)
  return [
    {
      name: 'prisma-field-encryption, its write and read path (binds no context)',
      encrypt: { name: 'encrypt', run: write },
      decrypt: {
        name: 'decrypt',
        run: (i) => {
          const row = { id: i, email: pick(sealed, i) }
          path.decryptOnRead(params(i, ''), row, keys, models, 'findUnique')
          return row.email
        },
      },
      encryptTarget: 5,
      decryptTarget: 2.2,
    },
  ]
}

const PRISMA_MODEL = {
  name: 'User',
  fields: [
    { name: 'id', type: 'Int', isList: false, isUnique: false, isId: true },
    { name: 'email', type: 'String', isList: false, isUnique: false, isId: false, documentation: '/// @encrypted' },
  ],
}

async function openCiphersweet(texts: readonly string[]): Promise<FieldPeer[] | undefined> {
  const sweet = loadPeer('ciphersweet-js')
  if (sweet === undefined) return undefined
  const provider = new sweet.StringProvider(randomBytes(32).toString('hex'))
  const native = loadPeer('sodium-native') === undefined ? 'WebAssembly' : 'sodium-native'
  const peers: FieldPeer[] = []
  for (const [name, backend, encryptTarget, indexTarget, decryptTarget] of [
    [`ModernCrypto, ${native}`, sweet.ModernCrypto, 1.3, 4, 1.6],
    ['FIPSCrypto', sweet.FIPSCrypto, 1.3, 4, 1.6],
  ] as const) {
    const engine = new sweet.CipherSweet(provider, new backend())
    const field = new sweet.EncryptedField(engine, 'users', 'email')
    const indexed = new sweet.EncryptedField(engine, 'users', 'email')
    indexed.addBlindIndex(new sweet.BlindIndex('email_index', [], 17, true))
    const sealed: string[] = []
    for (let i = 0; i < texts.length; i++) sealed.push(await field.encryptValue(pick(texts, i), ROW_AAD))
    peers.push({
      name: `ciphersweet-js, ${name}`,
      encrypt: { name: 'encrypt', async: true, run: (i) => field.encryptValue(pick(texts, i), ROW_AAD) },
      decrypt: { name: 'decrypt', async: true, run: (i) => field.decryptValue(pick(sealed, i), ROW_AAD) },
      encryptTarget,
      decryptTarget,
    })
    peers.push({
      name: `ciphersweet-js, ${name}, with one fast blind index`,
      encrypt: { name: 'encrypt', async: true, run: (i) => indexed.prepareForStorage(pick(texts, i), ROW_AAD) },
      encryptTarget: indexTarget,
    })
  }
  return peers
}

const ROW_AAD = 'row 123456'

/** Explicit encryption with a local master key, and a key vault that is an array instead of a database. */
async function openMongodb(texts: readonly string[]): Promise<FieldPeer[] | undefined> {
  if (loadPeer('mongodb-client-encryption') === undefined) return undefined
  const mongodb = loadPeer('mongodb')
  if (mongodb === undefined) return undefined
  const vault: Record<string, unknown>[] = []
  const collection = {
    insertOne: async (document: Record<string, unknown>) => {
      vault.push(document)
      return { insertedId: document._id }
    },
    find: () => ({ toArray: async () => vault }),
  }
  const client = { db: () => ({ collection: () => collection }), s: { options: {} }, options: {} }
  const encryption = new mongodb.ClientEncryption(client, {
    keyVaultNamespace: 'keys.vault',
    kmsProviders: { local: { key: randomBytes(96) } },
  })
  const keyId = await encryption.createDataKey('local')
  const options = { keyId, algorithm: 'AEAD_AES_256_CBC_HMAC_SHA_512-Random' }
  const sealed: unknown[] = []
  for (const text of texts) sealed.push(await encryption.encrypt(text, options))
  return [
    {
      name: 'mongodb-client-encryption, explicit (binds no context)',
      encrypt: { name: 'encrypt', async: true, run: (i) => encryption.encrypt(pick(texts, i), options) },
      decrypt: { name: 'decrypt', async: true, run: (i) => encryption.decrypt(sealed[i % sealed.length]) },
      encryptTarget: 5,
    },
  ]
}

function pick(texts: readonly string[], i: number): string {
  return texts[i % texts.length] as string
}

/** A text of 64 bytes that looks like what people store. */
export function sampleTexts(count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    Buffer.from(`Customer number ${i}, 12 Long Street, Springfield, unit `.padEnd(64, 'x')).toString('latin1', 0, 64),
  )
}
