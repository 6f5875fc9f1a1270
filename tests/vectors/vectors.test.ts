import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { lengthPrefixed } from '../../src/bytes.ts'
import { encodeContext } from '../../src/crypto/context.ts'
import { hkdfExpand } from '../../src/crypto/kdf.ts'
import { Xaes256Gcm } from '../../src/crypto/xaes.ts'
import { AAD_CONTEXT_AT, AAD_LABEL, keyIdOf, parseField } from '../../src/format/field.ts'
import { type Padding, paddedLength } from '../../src/format/padding.ts'
import { encodeTypedPlaintext, parseTypedPlaintext, type ValueType } from '../../src/format/typed-value.ts'
import type { KeyLogEntry, KeyRecord, ShredEntry } from '../../src/key-store.ts'
import { DataKey } from '../../src/keys/data-key.ts'
import { entryMacMatches, followLog, LOG_START, nextEntry } from '../../src/keys/log.ts'
import { assertRecord, commitmentOf, recordMac, recordMacMatches, rootContext, wrapAad } from '../../src/keys/record.ts'
import { canonicalJson } from '../../src/keys/report-proof.ts'
import { RootKey } from '../../src/keys/root-key.ts'
import { encodeScope } from '../../src/keys/scope.ts'
import { isProven, nextShredEntries, readShredLedger, shredProof } from '../../src/keys/shred-ledger.ts'
import { RowContext } from '../../src/records/row-context.ts'
import { RowIdentifier } from '../../src/records/row-identity.ts'
import * as spec from './specification.ts'

// biome-ignore lint/suspicious/noExplicitAny: vectors are data
type Json = any

const read = (name: string): Json =>
  JSON.parse(readFileSync(new URL(`../../docs/vectors/${name}.json`, import.meta.url), 'utf8'))
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const bin = (text: string) => Buffer.from(text, 'hex')
const cases = (list: Json[]): [string, Json][] => list.map((vector) => [vector.comment, vector])
const contexts = read('contexts')
const plaintexts = read('plaintexts')
const keys = read('keys')
const fields = read('fields')
const shreds = read('shreds')
const [root, , other] = keys.keys

describe('contexts (sections 2.1 to 2.3)', () => {
  test.each(cases(contexts.contexts))('%s', (_, { pairs, encoded }) => {
    expect(hex(encodeContext(new Map(pairs)))).toBe(encoded)
    expect(hex(spec.encodeContext(pairs))).toBe(encoded)
  })

  test.each(cases(contexts.refused))('refused: %s', (_, { pairs }) => {
    expect(() => encodeContext(new Map(pairs))).toThrow(TypeError)
    expect(() => spec.encodeContext(pairs)).toThrow()
  })

  test.each(cases(contexts.rowContexts))('of %s', (_, vector) => {
    const { app, table, column, row, tenant, encoded } = vector
    const bound = row !== undefined
    const context = new RowContext({ app, table, columns: [column], bound, tenant: tenant !== undefined })
    context.begin(row, tenant)
    expect(hex(context.of(0).subarray(AAD_CONTEXT_AT))).toBe(encoded)
    expect(hex(spec.rowContext(vector))).toBe(encoded)
  })

  test.each(cases(contexts.rowIds))('row id: %s', (_, { id, text }) => {
    const columns = id.map((_part: spec.IdPart, at: number) => `c${at}`)
    const values = id.map((part: spec.IdPart) => {
      if (part.integer !== undefined) return Number(part.integer)
      if (part.bigint !== undefined) return BigInt(part.bigint)
      return part.bytes === undefined ? part.text : bin(part.bytes)
    })
    const row = Object.fromEntries(columns.map((column: string, at: number) => [column, values[at]]))
    const identifier = new RowIdentifier('billing', 'users', { id: columns.length === 1 ? columns[0] : columns })
    expect(identifier.identify(row).row).toBe(text)
    expect(spec.rowText(id)).toBe(text)
  })
})

describe('typed plaintexts (sections 3.4 and 3.5)', () => {
  test.each(cases(plaintexts.plaintexts))('%s', (_, { type, value, padding, plaintext }) => {
    expect(encode(type, value, padding)).toBe(plaintext)
    expect(parseTypedPlaintext(bin(plaintext), type)).toEqual({ value: valueFrom(type, value) })
    expect(hex(spec.encodePlaintext(type, value, padding))).toBe(plaintext)
    expect(spec.parsePlaintext(type, bin(plaintext))).toBe(value)
  })

  test.each(cases(plaintexts.refusedPlaintexts))('refused: %s', (_, { type, plaintext }) => {
    expect(parseTypedPlaintext(bin(plaintext), type)).toBeUndefined()
    expect(() => spec.parsePlaintext(type, bin(plaintext))).toThrow()
  })

  test.each(cases(plaintexts.refusedValues))('not written: %s', (_, { type, value, padding }) => {
    expect(() => encodeTypedPlaintext(valueFrom(type, value), type, padding)).toThrow(TypeError)
    expect(() => spec.encodePlaintext(type, value, padding)).toThrow()
  })

  test('have padded lengths', () => {
    for (const { length, padded } of plaintexts.lengths) {
      expect(paddedLength(length, { min: 16 }), `${length}`).toBe(padded)
      expect(spec.paddedLength(length, { min: 16 }), `${length}`).toBe(padded)
    }
  })
})

describe('fields (section 3)', () => {
  test.each(cases(fields.fields))('%s', (_, vector) => {
    const { secret, type, value, padding, context, nonce, plaintext, aad, binary, text } = vector
    expect(hex(spec.encodePlaintext(type, value, padding))).toBe(plaintext)
    expect(encode(type, value, padding)).toBe(plaintext)
    expect(hex(spec.fieldAad(binary.slice(2, 34), context))).toBe(aad)
    expect(hex(spec.sealField(bin(secret), bin(nonce), bin(plaintext), context))).toBe(binary)
    expect(spec.openField(bin(secret), bin(binary), context, type)).toBe(value)
    expect(spec.openField(bin(secret), text, context, type)).toBe(value)

    const out = Buffer.concat([bin(binary).subarray(0, 17), bin(nonce), Buffer.alloc(plaintext.length / 2 + 16)])
    new Xaes256Gcm(hkdfExpand(bin(secret), 'strongroom/v1/field/enc', 32)).encryptInto(
      out,
      17,
      bin(plaintext),
      bin(aad),
    )
    expect(hex(out)).toBe(binary)
    for (const form of [bin(binary), text]) {
      expect(open(vector, form)).toEqual({ value: valueFrom(type, value) })
    }
  })

  test.each(cases(fields.refused))('refused: %s', (_, vector) => {
    const form = vector.text ?? bin(vector.binary)
    expect(open(vector, form)).toBeUndefined()
    expect(() => spec.openField(bin(vector.secret), form, vector.context, vector.type)).toThrow()
  })
})

describe('keys (section 4)', () => {
  test('lists have one encoding', () => {
    for (const { parts, encoded } of keys.lists) {
      expect(hex(lengthPrefixed(parts))).toBe(encoded)
      expect(hex(spec.lp(...parts))).toBe(encoded)
    }
  })

  test.each(cases(keys.keys))('%s', (_, vector) => {
    const secret = bin(vector.secret)
    expect(hex(commitmentOf(secret))).toBe(vector.commitment)
    expect(vector.id).toBe(vector.commitment.slice(0, 32))
    for (const [name, label] of Object.entries(spec.labels)) {
      expect(hex(hkdfExpand(secret, label, 32))).toBe(vector[name])
      expect(hex(spec.derive(secret, label))).toBe(vector[name])
    }
  })

  test.each(cases(keys.scopes))('scope: %s', (_, { store, scope, text }) => {
    expect(encodeScope(scope, store)).toBe(text)
    expect(spec.scopeText(store, scope)).toBe(text)
  })

  test.each(cases(keys.refusedScopes))('scope refused: %s', (_, { scope }) => {
    expect(() => encodeScope(scope, 'billing')).toThrow(TypeError)
    expect(() => spec.scopeText('billing', scope)).toThrow()
  })

  test('a root key is bound to its context', () => {
    expect(rootContext(keys.records[0].record)).toEqual(keys.rootContext)
  })

  test.each(cases(keys.wraps))('wrap: %s', (_, { secret, nonce, aad, wrapped }) => {
    const sealed = spec.xaesSeal(bin(root.wrapKey), bin(nonce), bin(secret), bin(aad))
    expect(nonce + hex(sealed)).toBe(wrapped)
    const record = keys.records[1].record as KeyRecord
    expect(hex(wrapAad(record))).toBe(aad)
    expect(hex(new RootKey(bin(root.secret), record).unwrap(bin(wrapped), record) as Buffer)).toBe(secret)
    expect(Buffer.from(record.wraps[0]?.ciphertext as string, 'base64url').toString('hex')).toBe(wrapped)
  })

  test.each(cases(keys.records))('record: %s', (_, { record, wrapAad: aad }) => {
    assertRecord(record)
    expect(hex(wrapAad(record))).toBe(aad)
    expect(hex(spec.wrapAad(record))).toBe(aad)
    expect(hex(recordMac(bin(root.recordMacKey), record))).toBe(record.mac)
    expect(spec.recordMac(bin(root.recordMacKey), record)).toBe(record.mac)
  })

  test.each(cases(keys.refusedRecords))('record refused: %s', (_, { record }) => {
    expect(recordMacMatches(bin(root.recordMacKey), record)).toBe(false)
    expect(spec.recordMac(bin(root.recordMacKey), record)).not.toBe(record.mac)
  })

  test('the log follows', () => {
    const log = keys.log as KeyLogEntry[]
    let head = LOG_START
    for (const { at, action, changes, ...entry } of log) {
      expect(nextEntry(head, { at, action, changes }, root.id, bin(root.logMacKey))).toEqual({
        at,
        action,
        changes,
        ...entry,
      })
      head = entry
    }
    expect(followLog(LOG_START, log)).toEqual({ seq: 3, hash: log[2]?.hash })
    spec.checkLog(keys.log, bin(root.logMacKey), root.id)
  })

  test.each(cases(keys.brokenLogs))('log refused: %s', (_, { log }) => {
    expect(() => {
      followLog(LOG_START, log)
      if (!entryMacMatches(bin(root.logMacKey), log.at(-1))) throw new Error('the MAC')
    }).toThrow()
    expect(() => spec.checkLog(log, bin(root.logMacKey), root.id)).toThrow()
    expect(other.id).not.toBe(root.id)
  })
})

/** Reads a field as the library does, with the key that the vector names. */
function open({ secret, context, type }: Json, form: string | Buffer) {
  const field = parseField(form)
  if (field === undefined) return undefined
  const commitment = hex(commitmentOf(bin(secret)))
  const id = commitment.slice(0, 32)
  if (keyIdOf(field) !== id) return undefined
  const record = { ...(keys.records[2].record as KeyRecord), id, commitment }
  const key = new DataKey(bin(secret), record, new RootKey(bin(root.secret), keys.records[0].record))
  const aad = Buffer.concat([AAD_LABEL, Buffer.alloc(17), encodeContext(new Map(context))])
  const plaintext = key.decrypt(field, aad)
  return plaintext && parseTypedPlaintext(plaintext, type as ValueType)
}

function encode(type: ValueType, value: string | boolean | null, padding: Padding): string {
  const plaintext = encodeTypedPlaintext(valueFrom(type, value), type, padding)
  const encoded = hex(plaintext)
  plaintext.fill(0) // it is memory that the next call uses again
  return encoded
}

/** A value as the library takes it, from the form in which the vectors write it. */
function valueFrom(type: string, value: string | boolean | null): unknown {
  if (value === null || typeof value === 'boolean') return value
  const make: Record<string, (text: string) => unknown> = {
    text: (text) => text,
    bytes: (text) => new Uint8Array(bin(text)),
    number: Number,
    integer: Number,
    bigint: BigInt,
    date: (text) => new Date(text),
    json: (text) => JSON.parse(text),
  }
  return make[type]?.(value)
}

describe('the shred ledger (section 4.7)', () => {
  const ledgerOf = (entries: ShredEntry[]) => ({
    name: 'vectors',
    read: async (after: number, limit: number) => entries.slice(after, after + limit),
    append: async () => false,
  })

  test('is read, and made again from its secrets', async () => {
    expect(await readShredLedger(ledgerOf(shreds.ledger))).toEqual(shreds.ledger)
    const statements = shreds.ledger.map((entry: ShredEntry, at: number) => {
      const secret = bin(shreds.secrets[at])
      expect(isProven(secret, entry)).toBe(true)
      expect(isProven(bin(shreds.secrets[1 - at]), entry)).toBe(false)
      return { ...entry, proof: shredProof(secret, entry) }
    })
    expect(nextShredEntries(undefined, statements)).toEqual(shreds.ledger)
  })

  test.each(cases(shreds.brokenLedgers))('refused: %s', async (_, { ledger }) => {
    await expect(readShredLedger(ledgerOf(ledger))).rejects.toThrow('shred ledger')
  })
})

describe('reports (section 4.8)', () => {
  test.each(cases(shreds.reports))('%s', (_, { secret, body, canonical, digest, proof }) => {
    expect(canonicalJson(body)).toBe(canonical)
    expect(createHash('sha256').update(canonical).digest('hex')).toBe(digest)
    const context: spec.Pairs = [
      ['app', body.store],
      ['kind', body.kind],
      ['purpose', 'report'],
    ]
    expect(spec.openField(bin(secret), proof, context, 'bytes')).toBe(digest)
  })
})
