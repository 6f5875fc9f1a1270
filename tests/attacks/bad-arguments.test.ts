import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { pgTable, text as pgText } from 'drizzle-orm/pg-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { awsKms, dynamoKeyStore } from '../../providers/aws/index.ts'
import { azureKeyVault } from '../../providers/azure/index.ts'
import { decryptJoin, encryptedTable, guardedLogger, pgColumns } from '../../providers/drizzle/index.ts'
import { createKeyStoreFile, fileAnchor, fileKeyStore, fileShredLedger } from '../../providers/file/index.ts'
import { gcpKms } from '../../providers/gcp/index.ts'
import { decryptRows, matching, strongroomPlugin } from '../../providers/kysely/index.ts'
import { memoryKeyStore, memoryKms, memoryShredLedger } from '../../providers/memory/index.ts'
import * as mysql from '../../providers/mysql/index.ts'
import { pgBossQueue } from '../../providers/pg-boss/index.ts'
import { pkcs11Hsm } from '../../providers/pkcs11/index.ts'
import { MODULE_METHODS } from '../../providers/pkcs11/module.ts'
import * as postgres from '../../providers/postgres/index.ts'
import { prismaRelations, prismaTables } from '../../providers/prisma/index.ts'
import { rawAes, rawRsa } from '../../providers/raw/index.ts'
import { encryptedAttributes } from '../../providers/sequelize/index.ts'
import { createKeyFile, recoveryKms, sealedBoxKms, sodiumKms } from '../../providers/sodium/index.ts'
import * as sqlite from '../../providers/sqlite/index.ts'
import { faulty } from '../../providers/testing/index.ts'
import { sampleEntry, sampleRecord } from '../../providers/testing/sample-records.ts'
import { entityColumns } from '../../providers/typeorm/index.ts'
import { vaultTransit } from '../../providers/vault/index.ts'
import * as web from '../../providers/web/index.ts'
import * as api from '../../src/index.ts'
import { openRoom, people } from '../records/fixtures.ts'

type Bad = never
type Calls = Record<string, (bad: Bad) => unknown>
const notObjects: readonly unknown[] = [null, 5, 5n, true, 'x', Symbol('s'), [], () => {}, new Date(), new Map()]
const notMethods: readonly unknown[] = [undefined, null, 5, 'x', Symbol('s'), [], {}, () => {}]
const notLists: readonly unknown[] = [null, 5, 5n, true, 'x', Symbol('s'), {}, () => {}]
const notCallbacks: readonly unknown[] = [null, 5, 'x', true, Symbol('s'), [], {}]
const kms = memoryKms()
const webKey = { namespace: 'n', name: 'k', key: new Uint8Array(32) }
const publicKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
  type: 'spki',
  format: 'pem',
}) as string
const queue = { send() {}, work() {} } as unknown as api.JobQueue
const someClient = (...methods: readonly string[]) => Object.fromEntries(methods.map((name) => [name, () => {}]))
const azureClient = { getKey() {}, getCryptographyClient() {} }
const awsKey = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const awsKeys = { accessKeyId: 'a', secretAccessKey: 'b' }
const gcpKey = 'projects/p/locations/global/keyRings/r/cryptoKeys/k'
const vault = { address: 'https://vault.example.com', key: 'k', auth: { token: 't' } }
const appRole = { roleId: 'r', secretId: 's', mount: 'approle' }
const hsm = { token: 't', key: { label: 'k' }, pin: '1' }
const receipt = { scope: 's', keys: [], tables: [], unseen: [] }
const jobs = { create() {}, start() {}, write() {}, list: async () => [] }
const table = { describe() {}, page() {}, write() {}, countHeads() {}, jobs } as unknown as api.Table
const cipher = { reencryptSettled() {} } as unknown as api.RecordCipher<api.AnyRecord>
let room: Awaited<ReturnType<typeof openRoom<{ people: typeof people }>>>['room']

beforeAll(async () => {
  room = (await openRoom({ people })).room
  await room.unlock([{ tenant: 'acme' }])
})

/** Each with a value in the place of options, or of another object of names and values. */
const options: Calls = {
  'openStrongroom options': (bad) => api.openStrongroom(config(), bad),
  'config records': (bad) => api.defineStrongroom({ ...config(), records: bad }),
  'config one record': (bad) => api.defineStrongroom({ ...config(), records: { r: bad } }),
  'config tables': (bad) => api.defineStrongroom({ ...config(), tables: bad }),
  'config migrations': (bad) => api.defineStrongroom({ ...config(), migrations: bad }),
  'config keyring': (bad) => api.defineStrongroom({ ...config(), keyring: bad }),
  'config resilience': (bad) => api.defineStrongroom({ ...config(), resilience: bad }),
  'config messages': (bad) => api.defineStrongroom({ ...config(), messages: bad }),
  'config backups': (bad) => api.defineStrongroom({ ...config(), backups: bad }),
  'text options': (bad) => api.text(bad),
  'json options': (bad) => api.json(bad),
  'decrypt options': (bad) => room.records.people.decrypt({ id: 1, org: 'acme' }, notArrayLike(bad)),
  'decryptMany options': (bad) => room.records.people.decryptMany([], notArrayLike(bad)),
  'index options': (bad) => room.records.people.index('email', 'a@b.c', bad),
  'seal options': (bad) => room.seal('x', bad),
  'open options': (bad) => room.open(new Uint8Array(), bad),
  'sealStream options': (bad) => room.sealStream(bad),
  'openStream options': (bad) => room.openStream(bad),
  'keys.shred scope': (bad) => room.keys.shred(bad),
  createMessages: (bad) => api.createMessages(bad),
  'sealMessage options': (bad) => api.sealMessage(kms, 'x', bad),
  'openMessage options': (bad) => api.openMessage(kms, new Uint8Array(), bad),
  'sealFile options': (bad) => api.sealFile(kms, 'from', 'to', bad),
  'openFile options': (bad) => api.openFile(kms, 'from', 'to', bad),
  'verifyFile options': (bad) => api.verifyFile(kms, 'from', bad),
  'rewrapFile options': (bad) => api.rewrapFile(kms, 'from', bad),
  planIndex: (bad) => api.planIndex(bad),
  defineMigration: (bad) => api.defineMigration(people, bad),
  'defineMigration record': (bad) => api.defineMigration(bad, { columns: {} }),
  cloakFormat: (bad) => api.cloakFormat(bad),
  fernetFormat: (bad) => api.fernetFormat(bad),
  laravelFormat: (bad) => api.laravelFormat(bad),
  railsFormat: (bad) => api.railsFormat(bad),
  'planMigration migration': (bad) => api.planMigration(table, bad),
  runMigration: (bad) => api.runMigration(bad),
  verifyMigration: (bad) => api.verifyMigration(bad),
  switchMigration: (bad) => api.switchMigration(bad),
  cleanMigration: (bad) => api.cleanMigration(bad),
  rollbackMigration: (bad) => api.rollbackMigration(bad),
  verifySample: (bad) => api.verifySample(bad, 1),
  'census options': (bad) => api.census(people, table, bad),
  'census record': (bad) => api.census(bad, table, { app: 'x', store: memoryKeyStore() }),
  rotationReport: (bad) => api.rotationReport(bad, room.keys),
  shred: (bad) => api.shred(bad, room.keys, { tenant: 'nobody' }),
  shredExpired: (bad) => api.shredExpired(bad, room.keys),
  replayShreds: (bad) => api.replayShreds(bad, room.keys),
  finality: (bad) => api.finality(bad, undefined, new Date()),
  retireVerdict: (bad) => api.retireVerdict(bad, room.keys, '0'.repeat(32)),
  'reencryptTable options': (bad) => api.reencryptTable(cipher, table, bad),
  doctor: (bad) => api.doctor(bad),
  'doctor options': (bad) => api.doctor(config(), bad),
  awsKms: (bad) => awsKms(bad),
  dynamoKeyStore: (bad) => dynamoKeyStore(bad),
  azureKeyVault: (bad) => azureKeyVault(bad),
  gcpKms: (bad) => gcpKms(bad),
  vaultTransit: (bad) => vaultTransit(bad),
  pkcs11Hsm: (bad) => pkcs11Hsm(bad),
  rawAes: (bad) => rawAes(bad),
  rawRsa: (bad) => rawRsa(bad),
  memoryKms: (bad) => memoryKms(bad),
  sodiumKms: (bad) => sodiumKms(bad),
  sealedBoxKms: (bad) => sealedBoxKms(bad),
  recoveryKms: (bad) => recoveryKms(bad),
  createKeyFile: (bad) => createKeyFile(bad),
  createKeyStoreFile: (bad) => createKeyStoreFile(bad),
  fileKeyStore: (bad) => fileKeyStore(bad),
  fileAnchor: (bad) => fileAnchor(bad),
  fileShredLedger: (bad) => fileShredLedger(bad),
  postgresKeyStore: (bad) => postgres.postgresKeyStore(bad),
  postgresTable: (bad) => postgres.postgresTable(bad),
  'postgres createKeyTables': (bad) => postgres.createKeyTables(bad),
  'postgres keyTablesSql': (bad) => postgres.keyTablesSql(bad),
  mysqlKeyStore: (bad) => mysql.mysqlKeyStore(bad),
  mysqlTable: (bad) => mysql.mysqlTable(bad),
  'mysql createKeyTables': (bad) => mysql.createKeyTables(bad),
  'mysql keyTablesSql': (bad) => mysql.keyTablesSql(bad),
  sqliteKeyStore: (bad) => sqlite.sqliteKeyStore(bad),
  sqliteTable: (bad) => sqlite.sqliteTable(bad),
  'sqlite createKeyTables': (bad) => sqlite.createKeyTables(bad),
  'sqlite keyTablesSql': (bad) => sqlite.keyTablesSql(bad),
  pgBossQueue: (bad) => pgBossQueue(bad),
  strongroomPlugin: (bad) => strongroomPlugin(bad),
  'kysely matching': (bad) => matching(bad, 'email' as never, 'x' as never),
  entityColumns: (bad) => entityColumns(bad),
  encryptedAttributes: (bad) => encryptedAttributes(bad),
  'web rawAes': (bad) => web.rawAes(bad),
  'web rawRsa': (bad) => web.rawRsa(bad),
  'web sealMessage options': (bad) => web.sealMessage(web.rawAes(webKey), 'x', bad),
  'faulty plan': (bad) => faulty(kms, bad),
}

/** Each with a value in the place of an object that is called. */
const methods: Calls = {
  'sealMessage kms': (bad) => api.sealMessage(bad, 'x'),
  'openMessage kms': (bad) => api.openMessage(bad, new Uint8Array(100)),
  'sealStream kms': (bad) => api.sealStream(bad),
  'openRange source': (bad) => api.openRange(kms, bad, 0, 1),
  'inspectMessage source': (bad) => api.inspectMessage(bad),
  'sealFile kms': (bad) => api.sealFile(bad, 'from', 'to'),
  'openFile kms': (bad) => api.openFile(bad, 'from', 'to'),
  'planMigration table': (bad) => api.planMigration(bad, undefined as never),
  'migrationState table': (bad) => api.migrationState(bad, 'people'),
  'census table': (bad) => api.census(people, bad, { app: 'x', store: memoryKeyStore() }),
  'rotationReport keys': (bad) => api.rotationReport(config(), bad),
  'shred keys': (bad) => api.shred(config(), bad, { tenant: 'a' }),
  'retireKey keys': (bad) => api.retireKey(config(), bad, '0'.repeat(32), 'retire'),
  'reencryptTable cipher': (bad) => api.reencryptTable(bad, table),
  'reencryptTable table': (bad) => api.reencryptTable(cipher, bad),
  'reencryptOnWorkers queue': (bad) => api.reencryptOnWorkers(cipher, table, bad),
  'workOnRanges queue': (bad) => api.workOnRanges(room, {}, bad, { signal: new AbortController().signal }),
  'config passwords': (bad) => bad !== undefined && api.defineStrongroom({ ...config(), passwords: bad }),
  'kysely decryptRows': (bad) => decryptRows(bad, []),
  'faulty kms': (bad) => faulty(bad, {}),
  'web sealMessage kms': (bad) => web.sealMessage(bad, 'x'),
}

/** Each with a value in the place of a list. */
const lists: Calls = {
  'indexMany values': (bad) => room.records.people.indexMany('email', bad, { tenant: 'acme' }),
  'filter rows': (bad) => room.records.people.filter(bad, 'email', 'a@b.c'),
  'keys.ensureActive scopes': (bad) => room.keys.ensureActive('data', bad),
  planIndexes: (bad) => api.planIndexes(bad),
  planField: (bad) => api.planField(bad),
  explainIndexPlan: (bad) => api.explainIndexPlan(bad),
  'seal unstored': (bad) => room.seal('x', { unstored: bad }),
}

const others: Record<string, [readonly unknown[], (bad: Bad) => unknown]> = {
  'nullable of a field': [['yes', 'visibel', 5, null], (bad) => record(api.text({ nullable: bad }))],
  'scope of an index': [['globl', 5, true, null], (bad) => record(api.text({ index: { column: 'i', scope: bad } }))],
  'nulls of an index': [['nul', 5, null], (bad) => record(api.text({ index: { column: 'i', nulls: bad } }))],
  'unique of an index': [['yes', 1, null], (bad) => record(api.text({ index: { column: 'i', unique: bad } }))],
  'unbound of a record': [[1, 'yes', null], (bad) => api.defineRecord('r', { a: api.text() }, { unbound: bad })],
  'plain of a record': [[[5], [null]], (bad) => api.defineRecord('r', { a: api.text() }, { id: 'id', plain: bad })],
  'init of openStrongroom': [['no', 1, null], (bad) => api.openStrongroom(config(), { init: bad })],
  'allow of decrypt': [
    [null, 5, 'suspended', ['active'], [5], Array(1)],
    (bad) => room.records.people.decrypt({ id: 1, org: 'acme' }, { allow: bad }),
  ],
  'allow of room.decrypt': [
    [null, 5, 'suspended', ['active'], [5], Array(1)],
    (bad) => room.decrypt(room.encrypt('v', { context: {} }), { context: {}, allow: bad }),
  ],
  'pepper of a configuration': [['off', 5], (bad) => api.defineStrongroom({ ...config(), pepper: bad })],
  'onEvent of a configuration': [[5, 'x', {}], (bad) => api.defineStrongroom({ ...config(), onEvent: bad })],
  'room.on': [[undefined, 5, {}], (bad) => room.on('*', bad)],
  'signal of seal': [[5, 'x', {}], (bad) => room.seal('x', { signal: bad })],
  'signal of open': [[5, 'x', {}], (bad) => room.open(new Uint8Array(100), { signal: bad })],
  'signal of keys.rewrap': [[5, 'x', {}], (bad) => room.keys.rewrap({ signal: bad })],
  'paths of sealFile': [['', 5, null, 'a\0b'], (bad) => api.sealFile(kms, 'package.json', bad)],
  'path of fileSource': [['', 5, null, 'a\0b'], (bad) => api.fileSource(bad)],
  'shredExpired onProgress': [notCallbacks, (bad) => api.shredExpired(config(), room.keys, { onProgress: bad })],
  'keys.rotate onProgress': [notCallbacks, (bad) => room.keys.rotate({ onProgress: bad })],
  'keys.rewrap onProgress': [notCallbacks, (bad) => room.keys.rewrap({ onProgress: bad })],
  'reencryptTable onProgress': [notCallbacks, (bad) => api.reencryptTable(cipher, table, { onProgress: bad })],
  'reencryptOnWorkers onProgress': [
    notCallbacks,
    (bad) => api.reencryptOnWorkers(cipher, table, queue, { onProgress: bad }),
  ],
  'workOnRanges onRange': [
    notCallbacks,
    (bad) => api.workOnRanges(room, {}, queue, { signal: new AbortController().signal, onRange: bad }),
  ],
  'runMigration onPhase': [notCallbacks, (bad) => api.runMigration(migrationParts(), { onPhase: bad })],
  'runMigration onProgress': [notCallbacks, (bad) => api.runMigration(migrationParts(), { onProgress: bad })],
  'defineMigration read': [
    notCallbacks,
    (bad) => api.defineMigration(people, { columns: { email: { from: 'mail', read: bad } } }),
  ],
  'defineMigration write': [
    notCallbacks,
    (bad) => api.defineMigration(people, { columns: { email: { from: 'mail', write: bad } } }),
  ],
  'sealStream onProgress': [notCallbacks, (bad) => api.sealStream(kms, { onProgress: bad })],
  'openStream onProgress': [notCallbacks, (bad) => room.openStream({ onProgress: bad })],
  'openStream onHeader': [notCallbacks, (bad) => api.openStream(kms, { onHeader: bad })],
  'web openStream onHeader': [notCallbacks, (bad) => web.openStream(web.rawAes(webKey), { onHeader: bad })],
  'sealFile onProgress': [notCallbacks, (bad) => api.sealFile(kms, 'from', 'to', { onProgress: bad })],
  'openFile onProgress': [notCallbacks, (bad) => api.openFile(kms, 'from', 'to', { onProgress: bad })],
  'verifyFile onProgress': [notCallbacks, (bad) => api.verifyFile(kms, 'from', { onProgress: bad })],
  'rewrapFile onProgress': [notCallbacks, (bad) => api.rewrapFile(kms, 'from', { to: kms, onProgress: bad })],
  'argon2id onUnreadable': [notCallbacks, (bad) => api.argon2id({ onUnreadable: bad })],
  'doctor reference': [notCallbacks, (bad) => api.doctor(config(), { reference: bad })],
  'doctor now': [notCallbacks, (bad) => api.doctor(config(), { now: bad })],
  'faulty clock': [notCallbacks, (bad) => faulty(kms, { clock: bad })],
  'faulty sleep': [notCallbacks, (bad) => faulty(kms, { sleep: bad })],
  'number of a plan': [
    [null, '5', 5n, {}, Number.NaN, -1, 0, 1.5, Number.POSITIVE_INFINITY, 2 ** 53],
    (bad) => api.explainIndexPlan([{ ...indexPlan(), bits: bad }]),
  ],
  'rows of a plan': [
    [null, '5', 5n, {}, Number.NaN, -1, 0, 1.5, Number.POSITIVE_INFINITY],
    (bad) => api.explainIndexPlan([{ ...indexPlan(), rows: bad }]),
  ],
  'false positives of a plan': [
    [undefined, null, '5', {}, Number.NaN, -1, Number.POSITIVE_INFINITY],
    (bad) => api.explainIndexPlan([{ ...indexPlan(), falsePositives: bad }]),
  ],
  'unique of a plan': [[undefined, null, 1], (bad) => api.explainIndexPlan([{ ...indexPlan(), unique: bad }])],
  'fields of a plan': [[5, null, Symbol('s')], (bad) => api.explainIndexPlan([{ ...indexPlan(), fields: [bad] }])],
  'drizzle encryptedTable': [[...notObjects, undefined, {}], (bad) => encryptedTable(bad, room.records.people)],
  'client of azureKeyVault': [
    [null, 5, 'x', [], {}, { vaultUrl: 'https://v.vault.azure.net' }, { ...azureClient, vaultUrl: 5 }],
    (bad) => azureKeyVault({ keyId: 'https://v.vault.azure.net/keys/k', client: bad }),
  ],
  ...Object.fromEntries(
    Object.entries({
      'dryRun of keys.shred': (bad: Bad) => room.keys.shred({ tenant: 'nobody' }, { dryRun: bad }),
      'dryRun of reencryptTable': (bad: Bad) => api.reencryptTable(cipher, table, { dryRun: bad }),
      'legacySuites of openMessage': (bad: Bad) => api.openMessage(kms, new Uint8Array(9), { legacySuites: bad }),
      'verify of sealFile': (bad: Bad) => api.sealFile(kms, 'from', 'to', { verify: bad }),
      'force of openFile': (bad: Bad) => api.openFile(kms, 'from', 'to', { force: bad }),
      'detached of rewrapFile': (bad: Bad) => api.rewrapFile(kms, 'from', { to: kms, detached: bad }),
      'unique of planIndex': (bad: Bad) => api.planIndex({ rows: 1000, unique: bad }),
      'unique of planIndexes': (bad: Bad) => api.planIndexes([{ index: 'i', fields: ['f'], rows: 1000, unique: bad }]),
    }).map(([name, call]) => [name, [[null, 'false', 0, 1, {}], call] as [readonly unknown[], typeof call]]),
  ),
  'now of shred, before a key is destroyed': [
    [null, 5, '2026-01-01', new Date(Number.NaN)],
    async (bad) => {
      await room.unlock([{ tenant: 'erased' }])
      await api.shred(config(), room.keys, { tenant: 'erased' }, { now: bad }).catch(async (error) => {
        const keys = await room.keys.list({ scope: { tenant: 'erased' } })
        expect(keys.length).toBeGreaterThan(0)
        expect(keys.map(({ state }) => state)).not.toContain('destroyed')
        throw error
      })
    },
  ],
  'records of shred': [
    [null, 5, 'x', { r: 5 }],
    (bad) => api.shred({ ...config(), records: bad }, room.keys, { tenant: 'nobody' }),
  ],
  'now of retireVerdict': [
    [null, 5, new Date(Number.NaN)],
    (bad) => api.retireVerdict(config(), room.keys, '0'.repeat(32), { now: bad }),
  ],
  'override of retireVerdict': [
    [null, 5, 'backups', {}, ['all']],
    (bad) => api.retireVerdict(config(), room.keys, '0'.repeat(32), { override: bad, reason: 'why' }),
  ],
  'reason of retireVerdict': [
    [null, 5, {}, '\ud800'],
    (bad) => api.retireVerdict(config(), room.keys, '0'.repeat(32), { reason: bad }),
  ],
  'throttle of reencryptTable': [
    [null, 5, 'x', { hours: null }],
    (bad) => api.reencryptTable(cipher, table, { throttle: bad }),
  ],
  'from of reencryptTable': [[null, 5, 'x', [5], [null]], (bad) => api.reencryptTable(cipher, table, { from: bad })],
  'context of seal': [[null, 5, 'x', [], new Date(), new Set()], (bad) => room.seal('x', { context: bad })],
  'shared of planIndex': [[null, '5', -1], (bad) => api.planIndex({ rows: 1000, shared: bad })],
  'fields of planIndexes': [
    [[5], [null], ['\ud800']],
    (bad) => api.planIndexes([{ index: 'i', fields: bad, rows: 1000 }]),
  ],
  'state of a field': [[null, 5n, {}, 'encryptd'], (bad) => record(api.text({ state: bad }))],
  'until of a field': [
    [null, 5, 5n, Symbol('s'), {}, new Date(Number.NaN), 'never'],
    (bad) => record(api.text({ state: 'migrating', until: bad })),
  ],
  'report of keys.proveReport': [
    [undefined, null, 5, {}, { kind: 'k', store: 5 }, { kind: 'k', store: 's', a: 5n }],
    (bad) => room.keys.proveReport(bad),
  ],
  'messages of a configuration, number by number': [
    [null, 0, '5', Number.NaN, 2 ** 53],
    (bad) => api.defineStrongroom({ ...config(), messages: { entries: bad } }),
  ],
  'format of defineMigration': [
    [null, 5, 'fernet', {}, { open() {} }],
    (bad) => api.defineMigration(people, { columns: { email: { from: 'mail', format: bad } } }),
  ],
  'temporary of defineMigration': [
    [null, 5, ''],
    (bad) => api.defineMigration(people, { columns: { email: { from: 'email', temporary: bad } } }),
  ],
  'fetch of vaultTransit': [notCallbacks, (bad) => vaultTransit({ ...vault, fetch: bad })],
  'binding of vaultTransit': [[null, 'derivd', 5], (bad) => vaultTransit({ ...vault, binding: bad })],
  'auth of vaultTransit': [
    [...notObjects, undefined, {}, ...[undefined, null, 5, '', {}].map((token) => ({ token }))],
    (bad) => vaultTransit({ ...vault, auth: bad }),
  ],
  'appRole of vaultTransit': [
    [
      ...notObjects,
      ...Object.keys(appRole).flatMap((name) => [null, 5, '', 'a\0b'].map((bad) => ({ ...appRole, [name]: bad }))),
      { ...appRole, mount: '../sys' },
    ],
    (bad) => vaultTransit({ ...vault, auth: { appRole: bad } }),
  ],
  'kubernetes of vaultTransit': [
    [...notObjects, {}, { role: 5 }, { role: 'r', jwtPath: 5 }, { role: 'r', mount: 'a//b' }],
    (bad) => vaultTransit({ ...vault, auth: { kubernetes: bad } }),
  ],
  'previousKeys of awsKms': [[null, 5, 'x', {}, [5], [null]], (bad) => awsKms({ keyId: awsKey, previousKeys: bad })],
  'grantTokens of awsKms': [
    [null, 5, 'x', {}, [5], [''], Array(11).fill('t')],
    (bad) => awsKms({ keyId: awsKey, grantTokens: bad }),
  ],
  'credentials of awsKms': [
    [...notObjects.filter((bad) => typeof bad !== 'function'), {}, { accessKeyId: 'a' }, { ...awsKeys, expiration: 5 }],
    (bad) => awsKms({ keyId: awsKey, credentials: bad }),
  ],
  'region of awsKms': [[null, 5, '', Symbol('s'), {}], (bad) => awsKms({ keyId: 'alias/a', region: bad })],
  'fips of awsKms': [[null, 'false', 0], (bad) => awsKms({ keyId: awsKey, fips: bad })],
  'createTable of dynamoKeyStore': [
    [null, 'false', 1],
    (bad) => dynamoKeyStore({ tableName: 'keys', createTable: bad }),
  ],
  'accessToken of gcpKms': [notCallbacks, (bad) => gcpKms({ keyName: gcpKey, transport: 'rest', accessToken: bad })],
  'clientOptions of azureKeyVault': [
    notObjects,
    (bad) =>
      azureKeyVault({ keyId: 'https://v.vault.azure.net/keys/k', client: azureClient as never, clientOptions: bad }),
  ],
  'key of pkcs11Hsm': [
    [...notObjects, undefined, {}, { label: 5 }, { id: 'x' }],
    (bad) => pkcs11Hsm({ ...hsm, library: '/nowhere/lib.so', key: bad }),
  ],
  'pin of pkcs11Hsm': [
    [undefined, null, 5, '', {}],
    (bad) => pkcs11Hsm({ ...hsm, library: '/nowhere/lib.so', pin: bad }),
  ],
  'library of pkcs11Hsm': [[null, 5, '', {}], (bad) => pkcs11Hsm({ ...hsm, library: bad })],
  'legacyContextOrder of rawAes': [[null, 'no', 0], (bad) => rawAes({ ...webKey, legacyContextOrder: bad })],
  'passphrase of sodiumKms': [[null, 5, {}], (bad) => sodiumKms({ path: '/nowhere/key', passphrase: bad })],
  'boss and connectionString of pgBossQueue': [
    [undefined, null, '', 5],
    (bad) => pgBossQueue({ connectionString: bad }),
  ],
  'schema of pgBossQueue': [
    [null, '', 5, {}],
    (bad) => pgBossQueue({ connectionString: 'postgres://h/d', schema: bad }),
  ],
  'connectionString of postgresKeyStore': [
    [null, '', 5, 'a\0b'],
    (bad) => postgres.postgresKeyStore({ connectionString: bad }),
  ],
  'lockTimeoutMs of postgresKeyStore': [
    [null, '5000', Symbol('s'), Number.NaN, {}],
    (bad) => postgres.postgresKeyStore({ connectionString: 'postgres://h/d', lockTimeoutMs: bad }),
  ],
  'jobs of postgresTable': [
    [null, 5, '', '\ud800', {}, ['a']],
    (bad) => postgres.postgresTable({ connectionString: 'postgres://h/d', table: 't', jobs: bad }),
  ],
  'database of mysqlKeyStore': [
    [null, 5, ''],
    (bad) => mysql.mysqlKeyStore({ connectionString: 'mysql://h/d', database: bad }),
  ],
  'replicas of mysqlTable': [
    [null, 5, 'x', {}, [undefined], [null], [{}]],
    (bad) => mysql.mysqlTable({ connectionString: 'mysql://h/d', table: 't', replicas: bad }),
  ],
  'path of sqliteKeyStore': [[null, '', 5, 'a\0b'], (bad) => sqlite.sqliteKeyStore({ path: bad })],
  'times of a fault plan': [
    [null, 5, [1], [2, 1], [-1, 1], ['1', 2], [Number.NaN, 1]],
    (bad) => faulty(kms, { latencyMs: bad }),
  ],
  'outages of a fault plan': [[null, 5, [5], [[2, 1]], [null]], (bad) => faulty(kms, { outages: bad })],
  'timeoutMs of a fault plan': [[null, '5', -1, Number.NaN], (bad) => faulty(kms, { timeoutMs: bad })],
  'seed of a fault plan': [[null, {}, Symbol('s')], (bad) => faulty(kms, { seed: bad })],
  ...Object.fromEntries(
    ['attemptTimeoutMs', 'deadlineMs', 'maxAttempts', 'openAfter', 'hedgeAfterMs', 'minWraps'].map((name) => [
      `resilience ${name} of a configuration`,
      [
        [null, '5', -1, Number.NaN, Number.POSITIVE_INFINITY, {}],
        (bad: Bad) => api.defineStrongroom({ ...config(), resilience: { [name]: bad } }),
      ],
    ]),
  ),
  'lockTimeoutMs of fileKeyStore': [
    [null, '5000', Number.NaN, {}],
    (bad) => fileKeyStore({ path: 'keys', lockTimeoutMs: bad }),
  ],
  'lockTimeoutMs of fileShredLedger': [
    [null, '5000', Number.NaN, {}],
    (bad) => fileShredLedger({ path: 'shredded', lockTimeoutMs: bad }),
  ],
  'path of fileKeyStore': [['', 5, null, 'a\0b'], (bad) => fileKeyStore({ path: bad })],
  'names of strongroomPlugin': [notMethods.slice(1), (bad) => strongroomPlugin(room.records as never, { names: bad })],
  'options of strongroomPlugin': [notObjects, (bad) => strongroomPlugin(room.records as never, bad)],
  'tables of guardedLogger': [[undefined, ...notLists, [null], [{}]], (bad) => guardedLogger(bad)],
  'logger of guardedLogger': [notMethods.slice(1), (bad) => guardedLogger([], bad)],
  prismaTables: [[undefined, null, 5, {}, '\ud800'], (bad) => prismaTables(bad)],
  'query of decryptJoin': [notMethods, (bad) => decryptJoin(bad, {})],
  'tables of decryptJoin': [
    notObjects,
    (bad) => decryptJoin(Object.assign(Promise.resolve([]), { toSQL: touched }) as never, bad),
  ],
  'options of encryptedAttributes': [notObjects, (bad) => encryptedAttributes(people, bad)],
  'bytes of encryptedAttributes': [[null, 5, '', {}], (bad) => encryptedAttributes(people, { bytes: bad })],
  'what is opened by an old format': [
    [undefined, null, 5, Symbol('s'), {}, new Uint8Array(4), '\ud800'],
    (bad) => oldFormat().open(bad),
  ],
  'what is sealed by an old format': [
    [undefined, null, 5, Symbol('s'), {}, [1], '\ud800'],
    (bad) => oldFormat().seal(bad),
  ],
  prismaRelations: [[undefined, 5, {}], (bad) => prismaRelations(bad)],
  ...Object.fromEntries(
    Object.entries({
      'keepDays of retireVerdict': (bad: Bad) => verdict({ backups: { keepDays: bad } }),
      'keyStoreKeepDays of retireVerdict': (bad: Bad) => verdict({ backups: { keepDays: 1, keyStoreKeepDays: bad } }),
      'quarantineDays of retireVerdict': (bad: Bad) => verdict({ quarantineDays: bad }),
      'refreshInterval of retireVerdict': (bad: Bad) => verdict({ keyring: { refreshInterval: bad } }),
      'keepDays of finality': (bad: Bad) => api.finality(receipt, { keepDays: bad }, new Date()),
      'batch of workOnRanges': (bad: Bad) => work({ batch: bad }),
      'staleMs of workOnRanges': (bad: Bad) => work({ staleMs: bad }),
      'rowsPerSecond of workOnRanges': (bad: Bad) => work({ throttle: { rowsPerSecond: bad } }),
      'staleMs of migrationState': (bad: Bad) => api.migrationState(table, 'people', bad),
      'rows of defineRecord': (bad: Bad) => record(api.text({ index: { column: 'i', rows: bad } })),
      'bits of defineRecord': (bad: Bad) => record(api.text({ index: { column: 'i', rows: 1000, bits: bad } })),
      'distinct of defineRecord': (bad: Bad) => record(api.text({ index: { column: 'i', rows: 1000, distinct: bad } })),
      'rows of a compound index': (bad: Bad) => compound({ rows: bad }),
      'position of the source of a file': (bad: Bad) => readFrom(bad, 1),
      'length of the source of a file': (bad: Bad) => readFrom(0, bad),
    }).map(([name, call]) => [
      name,
      [[null, '5', 5n, {}, -1, Number.NaN, Number.POSITIVE_INFINITY], call] as [readonly unknown[], typeof call],
    ]),
  ),
  'bounds of the source of a file': [[2 ** 40, 2 ** 53 - 1], (bad) => readFrom(0, bad)],
  'now of finality': [
    [undefined, null, 5, '2026-01-01', new Date(Number.NaN)],
    (bad) => api.finality(receipt, undefined, bad),
  ],
  'allow of workOnRanges': [[null, 5, 'suspended', ['active']], (bad) => work({ allow: bad })],
  'throttle of workOnRanges': [[null, 5, 'x', { hours: null }], (bad) => work({ throttle: bad })],
  'allow of reencryptTable': [
    [null, 5, 'suspended', ['active']],
    (bad) => api.reencryptTable(cipher, table, { allow: bad }),
  ],
  'transform of defineRecord': [
    [null, 5, 5n, [], {}, { id: 'x-v1' }],
    (bad) => record(api.text({ index: { column: 'i', rows: 1000, transform: bad } })),
  ],
  'slow of defineRecord': [[null, 'no', 1], (bad) => record(api.text({ index: { column: 'i', rows: 99, slow: bad } }))],
  'fields of a compound index': [[undefined, null, 5, 'a', {}, [5], Array(2)], (bad) => compound({ fields: bad })],
  'transforms of a compound index': [[null, 5, 'exact', {}, [5], [null]], (bad) => compound({ transforms: bad })],
  'jobs of the table of reencryptTable': [notMethods, (bad) => api.reencryptTable(cipher, { ...table, jobs: bad })],
  'jobs of the table of migrationState': [notMethods, (bad) => api.migrationState({ ...table, jobs: bad }, 'people')],
  'jobs of a table of a configuration': [
    notMethods,
    (bad) => api.defineStrongroom({ ...config(), records: { people }, tables: { people: { ...table, jobs: bad } } }),
  ],
  'what now gives, of calibrateArgon2id': [
    [undefined, null, '5', Number.NaN, {}],
    (bad) => api.calibrateArgon2id({ memoryKiB: [8] }, () => bad),
  ],
  'what now gives, of doctor': [
    [undefined, null, 5, new Date(Number.NaN), {}],
    (bad) => api.doctor(config(), { now: () => bad }),
  ],
  'timeoutMs of doctor': [
    [null, '5', 0, -1, 1.5, Number.NaN, 2 ** 53],
    (bad) => api.doctor(config(), { timeoutMs: bad }),
  ],
  'maxKeys of doctor': [[null, '5', -1, 1.5, Number.NaN, 5n], (bad) => api.doctor(config(), { maxKeys: bad })],
  'maxAgeDays of doctor': [
    [null, 5, 'x', [], { data: null }, { data: '90' }, { data: Number.NaN }, { data: -1 }, { dat: 90 }],
    (bad) => api.doctor(config(), { maxAgeDays: bad }),
  ],
  'maxKeys of a keyring': [
    [null, '5', 0, 1.5, Number.NaN, {}],
    (bad) => api.defineStrongroom({ ...config(), keyring: { maxKeys: bad } }),
  ],
  'preset of argon2id': [
    [null, 5, ['default'], Object.create(null), '__proto__'],
    (bad) => api.argon2id({ preset: bad }),
  ],
  'factors of passwordPolicy': [
    [null, 5, ['multi'], Object.create(null), '__proto__'],
    (bad) => api.passwordPolicy({ factors: bad }),
  ],
  'algorithm of rawDigest': [
    [null, 5, ['md5'], Object.create(null), '__proto__'],
    (bad) => api.rawDigest({ algorithm: bad }),
  ],
  'step of keys.planStep': [
    [null, 5, ['retire'], Object.create(null), '__proto__'],
    (bad) => room.keys.planStep(bad, '0'.repeat(32)),
  ],
  'scope of room.encrypt': [[null, 5, 'x', []], (bad) => room.encrypt('v', { context: {}, scope: bad })],
  'scope of keys.add': [[null, 5, 'x', []], (bad) => room.keys.add({ scope: bad })],
  'expiresAt of keys.add': [
    [null, 5, 'x', new Date(Number.NaN), new Date(0)],
    (bad) => room.keys.add({ expiresAt: bad }),
  ],
  'recipients of a source': [
    notCallbacks,
    (bad) => api.openRange(kms, { size: 100, read: touched, recipients: bad }, 0, 1),
  ],
  'kind of keys.proveReport': [['', 'k'.repeat(65)], (bad) => room.keys.proveReport({ kind: bad, store: 's' })],
  'number of keys.proveReport': [
    [Number.NaN, Number.POSITIVE_INFINITY],
    (bad) => room.keys.proveReport({ kind: 'k', store: 's', rows: [bad] } as api.ReportBody),
  ],
  'number of keys.verifyReport': [
    [5n],
    async (bad) =>
      room.keys.verifyReport({ ...(await room.keys.proveReport({ kind: 'k', store: 'tests' })), rows: bad }),
  ],
  'now of census': [
    [null, 5, 'x', new Date(Number.NaN)],
    (bad) => api.census(people, table, { app: 'x', store: memoryKeyStore(), now: bad }),
  ],
  'tables of shred, before a key is destroyed': [
    [null, 5, { people: null }, { people: {} }, { people: { ...table, jobs: {} } }],
    (bad) => api.shred({ ...config(), records: { people }, tables: bad }, untouchable(), { tenant: 'acme' }),
  ],
  'tables of retireVerdict': [[null, { people: null }, { people: {} }], (bad) => verdict({ tables: bad })],
  'records of retireVerdict': [[null, { people: null }, { people: {} }], (bad) => verdict({ records: bad })],
  'tables of rotationReport': [
    [null, 5, { people: null }, { people: {} }],
    (bad) => api.rotationReport({ ...config(), records: { people }, tables: bad }, room.keys),
  ],
  'records of rotationReport': [
    [null, 5, { people: null }, { people: {} }],
    (bad) => api.rotationReport({ ...config(), records: bad }, room.keys),
  ],
  'backups of a configuration': [
    [null, 5, {}, { keyStoreKeepDays: 5 }],
    (bad) => api.defineStrongroom({ ...config(), backups: bad }),
  ],
  'step of retireKey': [
    [undefined, null, 5, Symbol('s'), ['retire'], 'suspend'],
    (bad) => api.retireKey(config(), room.keys, '0'.repeat(32), bad),
  ],
  'receipt of finality': [
    [
      ...[undefined, 5].map((scope) => ({ ...receipt, scope })),
      ...[null, [null], [{}], [{ destroyedAt: 5 }]].map((keys) => ({ ...receipt, keys })),
      ...[null, [null], [{}], [{ rows: 1, readable: '1', left: 0, kept: [] }]].map((tables) => ({
        ...receipt,
        tables,
      })),
      ...[null, [null], [5]].map((unseen) => ({ ...receipt, unseen })),
    ],
    (bad) => api.finality(bad, undefined, new Date()),
  ],
  'tables of workOnRanges': [
    [null, 5, { people: null }, { people: {} }],
    (bad) => api.workOnRanges(room, bad, queue, { signal: new AbortController().signal }),
  ],
  'what a queue hands to workOnRanges': [
    [undefined, null, 5, {}, { jobId: 'j', kind: 'reencrypt', record: Symbol('s') }],
    (bad) => {
      const handing = { ...queue, work: (handle: (task: Bad) => Promise<void>) => handle(bad) }
      return api.workOnRanges(room, {}, handing as never, { signal: new AbortController().signal })
    },
  ],
  'options of planMigration': [
    [
      ...notObjects,
      ...[null, '5', -1, 1.5, Number.NaN, 5n].flatMap((number) => [{ rows: number }, { batch: number }]),
      { signal: 5 },
      { onRows: 5 },
    ],
    (bad) => api.planMigration(table, migrationParts().migration, bad),
  ],
  'columns of a migration': [
    [null, 5, {}, { email: null }, { email: {} }, { other: { from: 'x' } }],
    (bad) => api.planMigration(table, { ...migrationParts().migration, columns: bad }),
  ],
  'rows of verifySample': [
    [undefined, null, '5', 0, -1, 1.5, Number.NaN],
    (bad) => api.verifySample(migrationParts(), bad),
  ],
  'cost of createKeyFile': [
    [null, 5, 'x', {}],
    (bad) => createKeyFile({ path: '/nowhere/key', passphrase: 'p', cost: bad } as never),
  ],
  'name of wordList': [[null, 5, {}, '\ud800'], (bad) => api.wordList([], bad)],
  'now of calibrateArgon2id': [[null, 5, 'x', {}], (bad) => api.calibrateArgon2id({}, bad)],
  'serialize of laravelFormat': [
    [null, 'false', 0],
    (bad) => api.laravelFormat({ keys: [`base64:${btoa('k'.repeat(32))}`], serialize: bad }),
  ],
  ...Object.fromEntries(
    Object.entries({
      'keys of cloakFormat': (bad: Bad) => api.cloakFormat({ keys: bad }),
      'keys of fernetFormat': (bad: Bad) => api.fernetFormat({ keys: bad }),
      'keys of laravelFormat': (bad: Bad) => api.laravelFormat({ keys: bad }),
      'keys of railsFormat': (bad: Bad) => api.railsFormat({ keys: bad, salt: 's' }),
    }).map(([name, call]) => [
      name,
      [[...notLists, undefined, [], [5], [''], [null], ['\ud800'], Array(1)], call] as [
        readonly unknown[],
        typeof call,
      ],
    ]),
  ),
  'salt of railsFormat': [[undefined, null, 5, '\ud800'], (bad) => api.railsFormat({ keys: ['k'], salt: bad })],
  'deterministic of railsFormat': [
    [null, 'false', 0],
    (bad) => api.railsFormat({ keys: ['k'], salt: 's', deterministic: bad }),
  ],
  'plaintext of cloakFormat': [[null, 'false', 0], (bad) => api.cloakFormat({ keys: [cloakKey], plaintext: bad })],
  'name of memoryKms': [[null, 5, '', {}], (bad) => memoryKms({ name: bad })],
  'keyId of memoryKms': [[null, 5, '', {}], (bad) => memoryKms({ keyId: bad })],
  'start of memoryKeyStore': [notObjects, (bad) => memoryKeyStore(bad)],
  'name of a provider of keys': [
    [undefined, null, 5, ''],
    (bad) => api.defineStrongroom({ ...config(), kms: { ...memoryKms(), name: bad } }),
  ],
  'name of a store': [
    [undefined, null, 5, ''],
    (bad) => api.defineStrongroom({ ...config(), store: { ...memoryKeyStore(), name: bad } }),
  ],
  'name of a queue': [
    [undefined, null, 5, ''],
    (bad) => api.defineStrongroom({ ...config(), queue: { ...queue, name: bad } }),
  ],
  'lists with holes, one by one': [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    (at: Bad) => {
      const holes = Array(2) as never[]
      const { records, keys } = room
      return [
        () => records.people.encryptMany(holes),
        () => records.people.encryptSettled(holes),
        () => records.people.decryptMany(holes),
        () => records.people.decryptSettled(holes),
        () => records.people.indexMany('email', holes, { tenant: 'acme' }),
        () => records.people.filter(holes, 'email', 'a@b.c'),
        () => keys.ensureActive('data', holes),
        () => api.planIndexes(holes),
        () => api.explainIndexPlan(holes),
        () => records.people.encryptMany(Array(2 ** 32 - 1) as never[]),
      ][at]?.()
    },
  ],
  'bytes without memory, one by one': [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    (at: Bad) => {
      const gone = new Uint8Array(40)
      structuredClone(gone.buffer, { transfer: [gone.buffer] })
      return [
        () => api.sealMessage(kms, gone),
        () => api.openMessage(kms, gone),
        () => api.inspectMessage(gone),
        () => room.seal(gone),
        () => room.open(gone),
        () => room.encrypt(gone, { context: {} }),
        () => room.decrypt(gone, { context: {} }),
        () => memoryKms({ key: gone }),
        () => web.sealMessage(web.rawAes(webKey), gone),
        () => web.openMessage(web.rawAes(webKey), gone),
      ][at]?.()
    },
  ],
}

/** Objects that somebody else made, each with the methods without which it is no such thing. */
const clients: Record<string, [methods: readonly string[], call: (bad: Bad) => unknown]> = {
  'client of awsKms': [
    ['encrypt', 'decrypt', 'reEncrypt', 'describeKey'],
    (client) => awsKms({ keyId: '1234abcd-12ab-34cd-56ef-1234567890ab', client }),
  ],
  'client of dynamoKeyStore': [
    ['batchGetItem', 'query', 'transactWriteItems', 'describeTable', 'createTable'],
    (client) => dynamoKeyStore({ tableName: 'keys', client }),
  ],
  'client of gcpKms': [['encrypt', 'decrypt'], (client) => gcpKms({ keyName: gcpKey, client })],
  'credential of azureKeyVault': [
    ['getToken'],
    (credential) => azureKeyVault({ keyId: 'https://v.vault.azure.net/keys/k', credential }),
  ],
  'client of pkcs11Hsm': [MODULE_METHODS, (client) => pkcs11Hsm({ ...hsm, client })],
  'pool of postgresKeyStore': [['connect', 'query'], (pool) => postgres.postgresKeyStore({ pool })],
  'pool of postgresTable': [['connect', 'query'], (pool) => postgres.postgresTable({ pool, table: 't' })],
  'pool of mysqlKeyStore': [['getConnection'], (pool) => mysql.mysqlKeyStore({ pool })],
  'pool of mysqlTable': [['getConnection'], (pool) => mysql.mysqlTable({ pool, table: 't' })],
  'pool of a replica': [
    ['getConnection'],
    (pool) => mysql.mysqlTable({ connectionString: 'mysql://h/d', table: 't', replicas: [{ pool }] }),
  ],
  'database of sqliteKeyStore': [['prepare', 'exec'], (database) => sqlite.sqliteKeyStore({ database })],
  'database of sqliteTable': [['prepare', 'exec'], (database) => sqlite.sqliteTable({ database, table: 't' })],
  'boss of pgBossQueue': [
    ['createQueue', 'send', 'fetch', 'complete', 'fail', 'expire'],
    (boss) => pgBossQueue({ boss }),
  ],
}

const cases = [
  ...Object.entries(options).map(([name, call]) => [name, notObjects, call] as const),
  ...Object.entries(methods).map(([name, call]) => [name, notMethods, call] as const),
  ...Object.entries(lists).map(([name, call]) => [name, notLists, call] as const),
  ...Object.entries(others).map(([name, [wrong, call]]) => [name, wrong, call] as const),
]

describe('an argument of another kind is refused with a typed error that says so, before any work', () => {
  test.each(cases)('%s', async (name, wrong, call) => {
    for (const bad of wrong) {
      if (name === 'config passwords' && bad === undefined) continue
      const error = await (async () => call(bad as never))().then(
        () => 'nothing was refused',
        (thrown) => thrown,
      )
      const what = `${inspect(bad)}: ${error}`
      expect(error instanceof api.InvalidInputError || error instanceof api.StrongroomError, what).toBe(true)
    }
  })
})

describe('what is no client, no pool and no database is refused when its provider is made', () => {
  test.each(Object.entries(clients))('%s', (_, [methods, make]) => {
    const whole = someClient(...methods)
    const others = [...notMethods.slice(1), ...methods.map((name) => ({ ...whole, [name]: 'no function' }))]
    for (const bad of others) expect(() => make(bad as Bad), typeof bad).toThrow(api.InvalidInputError)
  })

  test.each(Object.entries(clients))(
    '%s is taken when it is one of a subclass, wrapped, or a stand-in',
    (_, [methods, make]) => {
      const whole = someClient(...methods)
      class Client {}
      Object.assign(Client.prototype, whole)
      class Instrumented extends Client {}
      const wrapped = new Proxy(new Client(), { get: (target, name) => Reflect.get(target, name) })
      for (const good of [whole, new Client(), new Instrumented(), Object.create(whole), wrapped]) make(good as Bad)
    },
  )
})

describe('a provider of keys', () => {
  const signal = { signal: 'no signal' }
  const badCalls = [...notObjects, undefined, {}, { context: null }, { context: {}, ...signal }]
  const wrapped = { provider: 'n', keyId: 'k', ciphertext: new Uint8Array(60) }
  const badWraps = [
    ...notObjects,
    undefined,
    {},
    ...Object.keys(wrapped).flatMap((name) => [undefined, null, 5, {}].map((bad) => ({ ...wrapped, [name]: bad }))),
  ]
  const providers: readonly api.KmsProvider[] = [
    kms,
    faulty(kms, {}),
    awsKms({ keyId: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' }),
    azureKeyVault({ keyId: 'https://v.vault.azure.net/keys/k', credential: someClient('getToken') as object }),
    gcpKms({ keyName: 'projects/p/locations/global/keyRings/r/cryptoKeys/k' }),
    vaultTransit({ ...vault, binding: 'derived' }),
    pkcs11Hsm({ ...hsm, library: '/nowhere/lib.so' }),
    rawAes(webKey),
    rawRsa({ namespace: 'n', name: 'k', publicKey }),
    web.rawAes(webKey),
    web.rawRsa({ namespace: 'n', name: 'k', publicKey }),
    sealedBoxKms({ publicKey: new Uint8Array(32) }),
    sodiumKms({ path: '/nowhere/key' }),
  ]

  test.each(providers.map((provider) => [provider.name, provider] as const))(
    '%s refuses what is no key, no wrapped key and no call before any work, and accepts no such thing',
    async (_, provider) => {
      const key = new Uint8Array(32)
      const { wrap, unwrap, rewrap = unwrap } = provider
      const refused = [
        ...[undefined, null, 5, 'x', [], new Uint8Array(31)].map((bad) => wrap(bad as Bad, { context: {} })),
        ...badCalls.flatMap((bad) => [wrap(key, bad as Bad), unwrap(wrapped, bad as Bad), rewrap(wrapped, bad as Bad)]),
        ...badWraps.flatMap((bad) => [unwrap(bad as Bad, { context: {} }), rewrap(bad as Bad, { context: {} })]),
      ]
      for (const call of refused) await expect(call).rejects.toThrow(api.InvalidInputError)
      for (const bad of badWraps.filter((bad) => bad === null || typeof bad !== 'object' || !('keyId' in bad))) {
        expect(provider.accepts(bad as Bad)).toBe(false)
      }
    },
  )
})

describe('an encrypted table of Drizzle, called directly', () => {
  const note = api.defineRecord('people', { email: api.text({ index: { column: 'tag', rows: 1000 } }) }, { id: 'id' })
  const columns = { id: pgText('id').primaryKey(), ...pgColumns(note) }
  const made = async () => {
    const { records } = (await openRoom({ note })).room
    return encryptedTable(pgTable('people', columns), records.note)
  }
  const query = Object.assign(Promise.resolve([]), { toSQL: () => ({ sql: 'select 1' }) })
  const database = { select: touched, insert: touched, update: touched }
  const rows = [undefined, ...notLists, [undefined], [null], [5], [[]], Array(1)]
  const noRows = [undefined, ...notObjects.filter((value) => Object(value) !== value || Array.isArray(value))]
  const databases = [...notMethods, { ...database, update: 5 }]

  test('refuses what is no row, key, change, query, table and database before the database is asked', async () => {
    const table = await made()
    const calls = [
      ...rows.flatMap((bad) => [
        () => table.encrypt(bad as Bad),
        () => table.decryptRows(bad as Bad),
        () => table.decryptRaw(bad as Bad),
      ]),
      ...notMethods.map((bad) => () => table.decrypt(bad as Bad)),
      ...[null, 5, [], { a: null }, { a: {} }].flatMap((bad) => [
        () => table.decrypt(query as Bad, bad as Bad),
        () => decryptJoin(query as Bad, bad as Bad),
      ]),
      ...[undefined, null, 5n, Symbol('s'), {}, 'none'].map(
        (bad) => () => table.search(bad as Bad, 'x' as Bad, {} as Bad, touched),
      ),
      ...[undefined, null, 5, {}, () => undefined].map((bad) => () => table.search('email', 'x', {}, bad as Bad)),
      ...noRows.flatMap((bad) => [
        async () => table.row(bad as Bad),
        () => table.update(database as Bad, bad as Bad, { email: 'x' }),
        () => table.update(database as Bad, { id: '1' }, bad as Bad),
        () => table.updateMany(database as Bad, undefined, bad as Bad),
      ]),
      ...databases.flatMap((bad) => [
        () => table.update(bad as Bad, { id: '1' }, { email: 'x' }),
        () => table.updateMany(bad as Bad, undefined, { email: 'x' }),
        () => table.upsert(bad as Bad, [{ id: '1', email: 'x' }]),
      ]),
      async () => encryptedTable(Object.create(null), (await openRoom({ note })).room.records.note),
    ]
    for (const call of calls) await expect(call(), String(call)).rejects.toThrow(api.InvalidInputError)
  })
})

test('a provider of the application that gives no key, and no wrapped key, is an error of that provider', async () => {
  const message = await api.sealMessage(kms, 'x')
  for (const bad of [undefined, null, 5, 'x', {}, { provider: 'n', keyId: 'k', ciphertext: 'x' }]) {
    const faulty = { ...kms, wrap: async () => bad as never, unwrap: async () => bad as never }
    await expect(api.sealMessage(faulty, 'x')).rejects.toThrow(api.KmsError)
    await expect(api.openMessage(faulty, message)).rejects.toThrow(api.KmsError)
  }
})

describe('a table, called directly', () => {
  const texts = [undefined, ...notLists, [5], [null], ['\ud800'], Array(1)]
  const counts = [undefined, null, '5', 5n, -1, 1.5, Number.NaN, {}]
  const bad = (whole: object, properties: Record<string, readonly unknown[]>) =>
    Object.entries(properties).flatMap(([name, wrong]) => wrong.map((value) => ({ ...whole, [name]: value })))
  const objects = [undefined, ...notObjects, {}]
  const counted = { rows: 0, written: 0, changed: 0, failed: 0 }
  const progress = { after: null, pass: 1, counts: counted, aside: [] }
  const guard = { name: 'g', watched: [{ source: 'a', derived: ['b'] }] }
  const rename = { kind: 'rename', columns: [{ from: 'a', to: 'b' }], guard }
  const pages = bad(
    { columns: ['a'], limit: 5 },
    { columns: texts, texts: texts.slice(1), after: texts.slice(1), limit: counts },
  )
  const equals = [null, 5, [], { a: 5 }].map((value) => ({ columns: ['a'], limit: 5, equals: value }))
  const changes = bad(
    { key: ['1'], expected: {}, set: { a: 1 } },
    {
      key: texts,
      expected: [...objects.slice(0, -1), { a: undefined }],
      expectedTexts: [null, { a: 5 }],
      set: [null, { a: Symbol('s') }],
    },
  )
  const writes = bad(
    { id: 'j', token: 1, progress },
    {
      id: [undefined, null, 5, ''],
      token: counts,
      state: [null, 'x'],
      phase: [null, 5],
      progress: [...objects, { ...progress, counts: {} }, { ...progress, aside: [5] }],
    },
  )
  const heads = bad(
    { column: 'a', prefix: 'x', length: 5 },
    {
      column: [undefined, null, 5, ''],
      prefix: [undefined, null, 5, '\ud800', []],
      length: [...counts, 65],
      by: [null, 5, ''],
    },
  )
  const altered = [
    ...objects,
    ...[
      'add-column',
      'drop-column',
      'allow-null',
      'refuse-null',
      'add-index',
      'drop-index',
      'guard',
      'unguard',
      'rename',
      'toString',
      5,
    ].map((kind) => ({ kind })),
    ...bad(
      { kind: 'add-column', column: 'a', holds: 'text' },
      { column: [null, 5, 'a\0b'], holds: [null, 'other'], width: counts.slice(1), type: [null, 5, 'a\0b'] },
    ),
    ...bad(rename, {
      columns: [null, [null], [{ from: 'a' }]],
      guard: [null, {}, { name: 'g', watched: [{ source: 'a' }] }],
    }),
  ]
  const starts = bad(
    { kind: 'migrate', record: 'r', phase: 'p', staleMs: 5 },
    { kind: [undefined, 'x'], record: [null, 5], phase: [5], from: [5, [5]], until: ['x'], staleMs: counts },
  )
  const tables = [
    sqlite.sqliteTable({ database: { prepare: touched, exec: touched } as never, table: 't' }),
    postgres.postgresTable({ pool: { connect: touched, query: touched } as never, table: 't' }),
    mysql.mysqlTable({ pool: { getConnection: touched } as never, table: 't' }),
  ]

  test.each(tables.map((table) => [table.name, table] as const))(
    '%s refuses what is no page, change, count, statement and job before the database is asked',
    async (_, { page, write, countHeads, splits, changeSql, run, jobs }) => {
      const calls = [
        ...[...objects, ...pages, ...equals].map((query) => () => page(query as Bad)),
        ...[undefined, ...notLists, [null], Array(1), ...changes.map((change) => [change])].map(
          (list) => () => write(list as Bad),
        ),
        ...[null, ...writes].flatMap((job) => [() => write([], job as Bad), () => jobs.write(job as Bad)]),
        ...[...objects, ...heads].map((query) => () => countHeads(query as Bad)),
        ...[...counts, 0, 10_001].map((parts) => () => splits(parts as Bad)),
        ...altered.map((change) => () => changeSql(change as Bad)),
        ...[...texts, ['']].map((statements) => () => run(statements as Bad)),
        ...[...objects, ...starts].map((start) => () => jobs.start(start as Bad)),
        ...[...objects, { limit: 5, staleMs: 5, record: 5 }].map((query) => () => jobs.list(query as Bad)),
      ]
      for (const call of calls) await expect(call(), String(call)).rejects.toThrow(api.InvalidInputError)
    },
  )
})

describe('a store of keys, called directly', () => {
  const put = { record: sampleRecord(), replaces: null }
  const entry = sampleEntry(1)
  const texts = [undefined, ...notLists, [5], [null], ['\ud800'], Array(1), Array(1001).fill('x')]
  const numbers = [undefined, null, '5', 5n, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, {}]
  const queries = [
    undefined,
    ...notObjects,
    ...[undefined, null, 'x', '5', 0, 1001, 1.5, Number.NaN].map((limit) => ({ limit })),
    ...['purpose', 'state', 'scope', 'scopePrefix', 'parent', 'after'].flatMap((name) =>
      [null, 5, {}, '\ud800'].map((bad) => ({ limit: 5, [name]: bad })),
    ),
  ]
  const changed = (whole: object) =>
    Object.keys(whole).flatMap((name) => [undefined, 5n, {}, '\ud800'].map((bad) => ({ ...whole, [name]: bad })))
  const commits = [
    undefined,
    ...notObjects,
    {},
    ...[undefined, ...notLists, [null], Array(1), [{}], [put, put]].map((puts) => ({ puts, log: null })),
    ...[undefined, '1', -1, 1.5].map((replaces) => ({ puts: [{ ...put, replaces }], log: null })),
    ...changed(put.record).map((record) => ({ puts: [{ record, replaces: null }], log: null })),
    { puts: [{ record: { ...put.record, wraps: Array(1) }, replaces: null }], log: null },
    ...[undefined, ...notObjects.slice(1), ...changed(entry)].map((log) => ({ puts: [put], log })),
  ]
  const stores: readonly api.KeyStore[] = [
    memoryKeyStore(),
    fileKeyStore({ path: '/nowhere/keys' }),
    postgres.postgresKeyStore({ pool: { connect: touched, query: touched } as never }),
    mysql.mysqlKeyStore({ pool: { getConnection: touched } as never }),
    sqlite.sqliteKeyStore({ database: { prepare: touched, exec: touched } as never }),
    dynamoKeyStore({
      tableName: 'keys',
      client: Object.fromEntries(
        ['batchGetItem', 'query', 'transactWriteItems', 'describeTable', 'createTable'].map((name) => [name, touched]),
      ) as never,
    }),
  ]

  test.each(stores.map((store) => [store.name, store] as const))(
    '%s refuses what is no id, scope, query, page and commit before any work',
    async (_, store) => {
      const { get, findActive, list, commit, log } = store
      const calls = [
        ...texts.flatMap((bad) => [() => get(bad as Bad), () => findActive('data', bad as Bad)]),
        ...[undefined, ...notMethods, 'dat', 'toString'].map((bad) => () => findActive(bad as Bad, [])),
        ...queries.map((bad) => () => list(bad as Bad)),
        ...numbers.flatMap((bad) => [() => log(bad as Bad, 5), () => log(0, bad as Bad)]),
        ...commits.map((bad) => () => commit(bad as Bad)),
      ]
      for (const call of calls) await expect(call(), String(call)).rejects.toThrow(api.InvalidInputError)
    },
  )

  test('and nothing of it is written', async () => {
    const store = memoryKeyStore()
    for (const bad of commits) await store.commit(bad as Bad).catch(() => {})
    expect(store.size).toBe(0)
    expect(await store.log(0, 10)).toEqual([])
    expect(await store.commit({ puts: [put], log: entry })).toEqual({ written: true })
  })

  test('a ledger of shredded keys and an anchor refuse the same', async () => {
    const hex = '0'.repeat(64)
    const shredded = { seq: 1, at: 'now', store: 's', keyId: hex.slice(32), proof: hex, previous: hex, hash: hex }
    const entries = [
      undefined,
      ...notLists,
      [null],
      Array(1),
      [{}],
      [shredded, shredded],
      ...changed(shredded).map((e) => [e]),
    ]
    for (const ledger of [memoryShredLedger(), fileShredLedger({ path: '/nowhere/shredded' })]) {
      const calls = [
        ...numbers.flatMap((bad) => [() => ledger.read(bad as Bad, 5), () => ledger.read(0, bad as Bad)]),
        ...entries.map((bad) => () => ledger.append(bad as Bad)),
      ]
      for (const call of calls) await expect(call(), String(call)).rejects.toThrow(api.InvalidInputError)
    }
    const anchor = fileAnchor({ path: '/nowhere/anchor' })
    for (const bad of [undefined, ...notObjects, {}, ...changed({ seq: 1, hash: hex }), { seq: 0, hash: hex }]) {
      await expect(anchor.write(bad as Bad)).rejects.toThrow(api.InvalidInputError)
    }
  })
})

test('what is no text is a password hash of no other system, and throws nothing', () => {
  const schemes = [
    ...api.legacySchemes,
    api.rawDigest({ algorithm: 'md5' }),
    api.firebaseScrypt({ signerKey: btoa('k'.repeat(16)), saltSeparator: 'Bw==', rounds: 8, memCost: 14 }),
  ]
  for (const { parse } of schemes) {
    for (const bad of [...notObjects.filter((value) => value !== 'x'), undefined, {}, Object.create(null)]) {
      expect(parse(bad as Bad)).toBeUndefined()
    }
  }
})

const cloakKey = `k1.aesgcm256.${btoa('k'.repeat(32)).replaceAll('+', '-').replaceAll('/', '_')}`
function oldFormat() {
  return api.laravelFormat({ keys: [`base64:${btoa('k'.repeat(32))}`] })
}
function verdict(parts: object) {
  return api.retireVerdict({ ...config(), ...parts }, room.keys, '0'.repeat(32))
}
/** A worker whose queue never gives it a range. */
function work(given: object) {
  return api.workOnRanges(room, {}, queue, { signal: new AbortController().signal, ...given })
}
function compound(index: object) {
  const whole = { fields: ['a', 'b'], rows: 1000, ...index }
  return api.defineRecord('r', { a: api.text(), b: api.text() }, { id: 'id', indexes: { i: whole } })
}
async function readFrom(position: number, length: number) {
  const source = await api.fileSource('package.json')
  return source.read(position, length).finally(() => source.close())
}
/** Keys that nothing may be done to. */
function untouchable(): never {
  return new Proxy({}, { get: () => touched }) as never
}
/** Stands for what must not be reached. */
function touched(): never {
  throw new Error('work was begun')
}
function config() {
  return { name: 'x', kms, store: memoryKeyStore() }
}
function indexPlan() {
  return { index: 'i', fields: ['f'], ...api.planIndex({ rows: 1000 }) }
}
function migrationParts() {
  const migration = api.defineMigration(people, { columns: { email: { from: 'mail' } } })
  return { cipher: room.records.people as never, table, migration }
}
function record(field: api.Field) {
  return api.defineRecord('r', { a: field }, { id: 'id' })
}
/** In front of every row, only what is no object at all is refused. */
function notArrayLike(bad: unknown): never {
  return (typeof bad === 'object' && bad !== null ? 5 : bad) as never
}
