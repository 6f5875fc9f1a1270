import type { Buffer } from 'node:buffer'
import { memoryKeyStore, memoryKms } from '../providers/memory/index.ts'
import { encodeContext } from '../src/crypto/context.ts'
import { defineRecord, defineStrongroom, openStrongroom, text } from '../src/index.ts'
import { bestDecrypt, bestEncrypt, naiveDecrypt, naiveEncrypt } from './baseline.ts'
import { type Contender, measure, ratio, type Speed } from './measure.ts'
import { type FieldPeer, openFieldPeers, sampleTexts } from './peer-fields.ts'
import { type Result, type Suite, speedLine } from './result.ts'

const ROWS = 1024
const BATCH = 200

const one = defineRecord('users', { email: text() }, { id: 'id', tenant: 'org' })
const five = defineRecord(
  'people',
  { first: text(), last: text(), email: text(), phone: text(), street: text() },
  { id: 'id', tenant: 'org' },
)
const indexed = defineRecord(
  'members',
  { email: text({ index: { column: 'email_index', rows: 1_000_000 } }) },
  { id: 'id', tenant: 'org' },
)

/** P1 and P2: one field of a record, the whole way, 64 bytes of text to its text form and back. */
export const records: Suite = async ({ quick, peers: withPeers }) => {
  const effort = quick ? { rounds: 3, roundMs: 5 } : { rounds: 121, roundMs: 8 }
  const config = defineStrongroom({
    name: 'bench',
    kms: memoryKms(),
    store: memoryKeyStore(),
    records: { one, five, indexed },
  })
  const room = await openStrongroom(config, { init: true })
  await room.unlock([{ tenant: 'acme' }])
  try {
    const texts = sampleTexts(ROWS)
    const { peers, missing } = withPeers ? await openFieldPeers(texts) : { peers: [], missing: [] }
    const contenders = makeContenders(room.records, texts)
    const encrypted = await measureAll(contenders.encrypt, peers, 'encrypt', effort)
    const decrypted = await measureAll(contenders.decrypt, peers, 'decrypt', effort)
    const absent = missing.map(
      (name): Result => ({ id: 'P1', what: name, measured: '', missing: 'not installed (see benchmarks/README.md)' }),
    )
    return [...encryptLines(encrypted, peers), ...absent, ...decryptLines(decrypted, peers)]
  } finally {
    await room.close()
  }
}

type Room = {
  readonly one: import('../src/index.ts').RecordCipher<typeof one>
  readonly five: import('../src/index.ts').RecordCipher<typeof five>
  readonly indexed: import('../src/index.ts').RecordCipher<typeof indexed>
}

function makeContenders(room: Room, texts: readonly string[]): { encrypt: Contender[]; decrypt: Contender[] } {
  const email = (i: number) => texts[i % ROWS] as string
  const id = (i: number) => `6f9619ff-8b86-4d01-b42d-00cf4fc9${String(i % ROWS).padStart(4, '0')}`
  const single = texts.map((_, i) => ({ id: id(i), org: 'acme', email: email(i) }))
  const wide = texts.map((_, i) => {
    const fields = {
      first: email(i),
      last: email(i + 1),
      email: email(i + 2),
      phone: email(i + 3),
      street: email(i + 4),
    }
    return { id: id(i), org: 'acme', ...fields }
  })
  const aads = texts.map((_, i) => aadOf(id(i)))
  const naive = texts.map((_, i) => naiveEncrypt(email(i), aads[i] as Buffer))
  const best = texts.map((_, i) => bestEncrypt(email(i), aads[i] as Buffer))
  const sealedSingle = single.map((row) => room.one.encrypt(row))
  const sealedWide = wide.map((row) => room.five.encrypt(row))
  const batch = wide.slice(0, BATCH)
  const sealedBatch = sealedWide.slice(0, BATCH)
  const at = <Value>(values: readonly Value[], i: number) => values[i % ROWS] as Value
  const aad = (i: number) => at(aads, i)
  return {
    encrypt: [
      { name: NAIVE, run: (i) => naiveEncrypt(email(i), aad(i)) },
      { name: BEST, run: (i) => bestEncrypt(email(i), aad(i)) },
      { name: ONE, run: (i) => room.one.encrypt(at(single, i)) },
      { name: FIVE, jobs: 5, run: (i) => room.five.encrypt(at(wide, i)) },
      { name: MANY, async: true, jobs: 5 * BATCH, run: () => room.five.encryptMany(batch) },
      { name: INDEXED, run: (i) => room.indexed.encrypt(at(single, i)) },
    ],
    decrypt: [
      { name: NAIVE, run: (i) => naiveDecrypt(at(naive, i), aad(i)) },
      { name: BEST, run: (i) => bestDecrypt(at(best, i), aad(i)) },
      { name: ONE, run: (i) => room.one.decrypt(at(sealedSingle, i)) },
      { name: FIVE, jobs: 5, run: (i) => room.five.decrypt(at(sealedWide, i)) },
      { name: MANY, async: true, jobs: 5 * BATCH, run: () => room.five.decryptMany(sealedBatch) },
    ],
  }
}

const NAIVE = 'node:crypto as everybody writes it'
const BEST = 'node:crypto, best pattern by hand'
const ONE = 'record of one field'
const FIVE = 'record of five fields, each'
const MANY = 'encryptMany / decryptMany, each field'
const INDEXED = 'record of one field with a blind index'

/** The associated data that a field of this row has in Strongroom, so that both authenticate the same bytes. */
function aadOf(row: string): Buffer {
  return encodeContext({ app: 'bench', column: 'email', row, table: 'users', tenant: 'acme' })
}

async function measureAll(
  own: readonly Contender[],
  peers: readonly FieldPeer[],
  direction: 'encrypt' | 'decrypt',
  effort: { rounds: number; roundMs: number },
): Promise<Map<string, Speed>> {
  const others = peers.flatMap((peer) => {
    const contender = peer[direction]
    return contender === undefined ? [] : [{ ...contender, name: peer.name }]
  })
  const speeds = await measure([...own, ...others], effort)
  return new Map(speeds.map((speed) => [speed.name, speed]))
}

function encryptLines(speeds: ReadonlyMap<string, Speed>, peers: readonly FieldPeer[]): Result[] {
  return [...ownLines('P1 encrypt', speeds, { naive: 1.2, best: 0.8 }), ...peerLines('P1 encrypt', speeds, peers)]
}

function decryptLines(speeds: ReadonlyMap<string, Speed>, peers: readonly FieldPeer[]): Result[] {
  return [...ownLines('P2 decrypt', speeds, { naive: 1.0, best: 0.8 }), ...peerLines('P2 decrypt', speeds, peers)]
}

function ownLines(id: string, speeds: ReadonlyMap<string, Speed>, least: { naive: number; best: number }): Result[] {
  const naive = speeds.get(NAIVE) as Speed
  const best = speeds.get(BEST) as Speed
  const lines = [speedLine(id, naive), speedLine(id, best, ratio(best, naive))]
  for (const name of [ONE, FIVE, MANY, INDEXED]) {
    const speed = speeds.get(name)
    if (speed === undefined) continue
    const target = name === INDEXED ? undefined : { atLeast: least.naive }
    lines.push(speedLine(id, speed, ratio(speed, naive), target))
    if (name === INDEXED) continue
    const beside = { ...speed, name: `${name}, beside the best pattern` }
    lines.push(speedLine(id, beside, ratio(speed, best), { atLeast: least.best }))
  }
  return lines
}

/** Each peer beside the record of one field, or beside the indexed one where it makes an index too. */
function peerLines(id: string, speeds: ReadonlyMap<string, Speed>, peers: readonly FieldPeer[]): Result[] {
  const encrypts = id.startsWith('P1')
  return peers.flatMap((peer) => {
    const theirs = speeds.get(peer.name)
    if (theirs === undefined) return []
    const ours = speeds.get(peer.decrypt === undefined && encrypts ? INDEXED : ONE) as Speed
    const least = encrypts ? peer.encryptTarget : peer.decryptTarget
    const line = speedLine(id, theirs, ratio(ours, theirs), least === undefined ? undefined : { atLeast: least })
    return [{ ...line, what: `faster than ${peer.name}` }]
  })
}
