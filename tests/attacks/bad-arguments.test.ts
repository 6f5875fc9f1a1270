import { beforeAll, describe, expect, test } from 'vitest'
import { awsKms, dynamoKeyStore } from '../../providers/aws/index.ts'
import { azureKeyVault } from '../../providers/azure/index.ts'
import { createKeyStoreFile, fileAnchor, fileKeyStore, fileShredLedger } from '../../providers/file/index.ts'
import { gcpKms } from '../../providers/gcp/index.ts'
import { decryptRows, matching, strongroomPlugin } from '../../providers/kysely/index.ts'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import * as mysql from '../../providers/mysql/index.ts'
import { pgBossQueue } from '../../providers/pg-boss/index.ts'
import { pkcs11Hsm } from '../../providers/pkcs11/index.ts'
import * as postgres from '../../providers/postgres/index.ts'
import { prismaRelations } from '../../providers/prisma/index.ts'
import { rawAes, rawRsa } from '../../providers/raw/index.ts'
import { encryptedAttributes } from '../../providers/sequelize/index.ts'
import { createKeyFile, recoveryKms, sealedBoxKms, sodiumKms } from '../../providers/sodium/index.ts'
import * as sqlite from '../../providers/sqlite/index.ts'
import { faulty } from '../../providers/testing/index.ts'
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
const kms = memoryKms()
const table = { describe() {}, page() {}, write() {}, countHeads() {} } as unknown as api.Table
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
    [null, 5, 'suspended', ['active'], [5]],
    (bad) => room.records.people.decrypt({ id: 1, org: 'acme' }, { allow: bad }),
  ],
  'allow of room.decrypt': [
    [null, 5, 'suspended', ['active'], [5]],
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
  'path of fileKeyStore': [['', 5, null, 'a\0b'], (bad) => fileKeyStore({ path: bad })],
  prismaRelations: [[undefined, 5, {}], (bad) => prismaRelations(bad)],
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
      const what = `${typeof bad} ${String(bad)}: ${error}`
      expect(error instanceof api.InvalidInputError || error instanceof api.StrongroomError, what).toBe(true)
    }
  })
})

const webKey = { namespace: 'n', name: 'k', key: new Uint8Array(32) }

function config() {
  return { name: 'x', kms, store: memoryKeyStore() }
}
function record(field: api.Field) {
  return api.defineRecord('r', { a: field }, { id: 'id' })
}
/** In front of every row, only what is no object at all is refused. */
function notArrayLike(bad: unknown): never {
  return (typeof bad === 'object' && bad !== null ? 5 : bad) as never
}
