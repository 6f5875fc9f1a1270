import { describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import { defineStrongroom } from '../../src/config.ts'
import { doctor } from '../../src/doctor/doctor.ts'
import type { Padding } from '../../src/format/padding.ts'
import { bigint, boolean, bytes, date, type Field, integer, json, number, text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table, TableDescription } from '../../src/table.ts'

type Description = Partial<TableDescription>

const column = (name: string, width: number | null, holds: 'text' | 'bytes' | 'other' = 'text') => ({
  name,
  type: width === null ? holds : `${holds}(${width})`,
  holds,
  nullable: true,
  width,
})

function described(description: Description): Table {
  const describe = async (): Promise<TableDescription> => ({
    primaryKey: ['id'],
    columns: [],
    indexes: [{ name: 'pk', columns: ['id'], unique: true }],
    estimatedRows: 0,
    bytes: 0,
    ...description,
  })
  return { name: 'a table', describe, page: 0, write: 0, countHeads: 0 } as unknown as Table
}

const jobs = { create: () => {}, start: () => {}, write: () => {}, list: () => {} }

async function examine(fields: Record<string, Field>, description: Description, options: object = {}) {
  const people = defineRecord('people', fields, { id: 'id', ...options })
  const table = described({ ...description, columns: [column('id', null, 'other'), ...(description.columns ?? [])] })
  const fake = Object.assign(table, { page: () => {}, write: () => {}, countHeads: () => {}, jobs })
  const config = defineStrongroom({
    name: 'app',
    kms: memoryKms(),
    store: memoryKeyStore(),
    records: { people },
    tables: { people: fake as never },
  })
  const { findings } = await doctor(config, { timeoutMs: 1000 })
  return findings.filter(({ check }) => check.startsWith('table.'))
}

const one = async (field: Field, stored: ReturnType<typeof column>) =>
  (await examine({ note: field }, { columns: [stored] })).find(({ check }) => check === 'table.column')

/** The width that the longest of these values really takes. */
async function widest(field: Field, values: readonly unknown[]): Promise<number> {
  const people = defineRecord('people', { note: field }, { id: 'id' })
  const room = await openStrongroom(
    defineStrongroom({ name: 'app', kms: memoryKms(), store: memoryKeyStore(), records: { people } }),
    { init: true },
  )
  const sizes = values.map(
    (note) => (room.records.people.encrypt({ id: 1, note } as never) as { note: string }).note.length,
  )
  await room.close()
  return Math.max(...sizes)
}

describe('the columns of a configured table', () => {
  const paddings: (Padding | undefined)[] = [undefined, 'none', { min: 50 }, { fixed: 64 }]
  const types = {
    integer: [integer, [Number.MAX_SAFE_INTEGER, 0]],
    number: [number, [Math.PI, Number.MAX_VALUE]],
    boolean: [boolean, [true]],
    date: [date, [new Date(8.64e15)]],
  } as unknown as Record<string, [(options: object) => Field, readonly unknown[]]>
  for (const [name, [make, values]] of Object.entries(types)) {
    test(`are wide enough for a ${name} exactly when every one fits, with any padding and storage`, async () => {
      for (const padding of paddings) {
        for (const storage of ['text', 'binary'] as const) {
          const field = make({ storage, ...(padding && { padding }) })
          const width = await widest(field, values)
          const holds = storage === 'text' ? 'text' : 'bytes'
          expect(await one(field, column('note', width, holds))).toMatchObject({ status: 'ok' })
          expect(await one(field, column('note', width - 1, holds))).toMatchObject({ status: 'problem' })
        }
      }
    })
  }

  test('say how long a text may be, and it may', async () => {
    for (const width of [110, 255, 1000]) {
      const found = await one(text(), column('note', width))
      const most = Number(/up to ([\d,]+) bytes/.exec(found?.message ?? '')?.[1]?.replaceAll(',', ''))
      expect(await widest(text(), ['x'.repeat(most)])).toBeLessThanOrEqual(width)
      expect(await widest(text(), ['x'.repeat(most + 1)])).toBeGreaterThan(width)
    }
    for (const field of [text(), json(), bigint(), bytes()]) {
      expect(await one(field, column('note', null))).toMatchObject({ status: 'ok' })
      expect(await one(field, column('note', 20))).toMatchObject({
        status: 'problem',
        hint: expect.stringContaining('without a limit'),
      })
    }
  })

  test('must exist and hold what is written', async () => {
    expect(await one(text(), column('other', null))).toMatchObject({
      status: 'problem',
      message: 'the table has no such column',
    })
    expect(await one(text(), column('note', null, 'bytes'))).toMatchObject({ status: 'problem' })
    expect(await one(date(), column('note', null, 'other'))).toMatchObject({ status: 'problem' })
  })

  test('of a search need room for a tag, an index of the database and the rows they were planned for', async () => {
    const fields = { note: text({ index: { column: 'note_index', transform: 'exact', rows: 1000 } }) }
    const look = async (width: number | null, description: Description = {}) =>
      (await examine(fields, { columns: [column('note', null), column('note_index', width)], ...description })).find(
        ({ check }) => check === 'table.index',
      )
    const indexes = [{ name: 'i', columns: ['note_index'], unique: false }]
    expect(await look(2, { indexes })).toMatchObject({ status: 'problem' })
    expect(await look(null)).toMatchObject({ status: 'warning', message: expect.stringContaining('no index') })
    expect(await look(null, { indexes })).toMatchObject({ status: 'ok' })
    expect(await look(null, { indexes, estimatedRows: 1_000_000 })).toMatchObject({
      status: 'warning',
      hint: expect.stringContaining('raise'),
    })
    // Planned for one tenant: how many rows the table has in all says nothing.
    const tenants = { tenant: 'org', columns: [column('note', null), column('note_index', null), column('org', null)] }
    const findings = await examine(fields, { ...tenants, indexes, estimatedRows: 1_000_000 }, { tenant: 'org' })
    expect(findings.find(({ check }) => check === 'table.index')).toMatchObject({ status: 'ok' })
  })

  test('of a migration still under way must hold ciphertexts already', async () => {
    const migrating = text({ state: 'migrating', until: '2999-01-01' })
    expect(await one(migrating, column('note', 50))).toMatchObject({ status: 'problem' })
    expect(await one(migrating, column('note', null))).toMatchObject({ status: 'ok' })
  })

  test('must tell rows apart by the id of the record', async () => {
    const identity = async (description: Description, options: object = {}) =>
      (await examine({ note: text() }, { columns: [column('note', null)], ...description }, options)).find(
        ({ check }) => check === 'table.identity',
      )
    expect(await identity({})).toMatchObject({ status: 'ok' })
    expect(await identity({ primaryKey: ['serial'], indexes: [] })).toMatchObject({ status: 'warning' })
    expect(await identity({}, { tenant: 'org' })).toMatchObject({
      status: 'problem',
      message: 'the table has no column org',
    })
  })

  test('that cannot be reached are a problem', async () => {
    const people = defineRecord('people', { note: text() }, { id: 'id' })
    const describe = async () => Promise.reject(new Error('no route'))
    const table = {
      name: 'far away',
      describe,
      page: () => {},
      write: () => {},
      countHeads: () => {},
      jobs,
    } as unknown as Table
    const config = defineStrongroom({
      name: 'app',
      kms: memoryKms(),
      store: memoryKeyStore(),
      records: { people },
      tables: { people: table },
    })
    const { findings, healthy } = await doctor(config, { timeoutMs: 1000 })
    expect(healthy).toBe(false)
    expect(findings).toContainEqual(
      expect.objectContaining({ check: 'table.reach', status: 'problem', message: 'no route' }),
    )
  })
})
