import { expect, it } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import { defineRecord, defineStrongroom, integer, openStrongroom, text } from '../../src/index.ts'

const SLOW = process.env.STRONGROOM_SLOW !== undefined
const ROWS = SLOW ? 200_000 : 4_000
const TENANTS = ROWS / 20
const SUBJECTS = ROWS / 2
const CHUNK = 20_000

const visits = defineRecord(
  'visits',
  { name: text(), email: text(), phone: text(), notes: text(), floor: integer() },
  { id: 'id', tenant: 'tenant', subject: 'person' },
)

it(`needs one KMS call for ${(5 * ROWS).toLocaleString('en')} fields of ${SUBJECTS.toLocaleString('en')} people of ${TENANTS.toLocaleString('en')} tenants`, {
  timeout: 900_000,
}, async () => {
  const key = new Uint8Array(32).fill(7)
  const store = memoryKeyStore()
  const open = (kms: ReturnType<typeof memoryKms>, init: boolean) =>
    openStrongroom(
      defineStrongroom({
        name: 'economy',
        kms,
        store,
        records: { visits },
        keyring: { ttl: 3_600_000, maxKeys: 20_000 },
      }),
      { init },
    )
  const first = memoryKms({ key })
  await (await open(first, true)).close()

  const kms = memoryKms({ key })
  const room = await open(kms, false)
  let same = 0
  for (let at = 0; at < ROWS; at += CHUNK) {
    const rows = Array.from({ length: Math.min(CHUNK, ROWS - at) }, (_, n) => row(at + n))
    const stored = await room.records.visits.encryptMany(rows)
    const read = await room.records.visits.decryptMany(stored)
    same += read.filter((plain, n) => plain.email === rows[n]?.email && plain.floor === rows[n]?.floor).length
  }

  expect(same).toBe(ROWS)
  expect(kms.calls).toEqual({ wrap: 0, unwrap: 1 })
  await room.close()
})

function row(n: number) {
  const person = n % SUBJECTS
  return {
    id: n,
    tenant: `t${person % TENANTS}`,
    person: `p${person}`,
    name: `Person ${person}`,
    email: `p${n}@example.com`,
    phone: `+1 555 ${n}`,
    notes: 'a visit',
    floor: n % 12,
  }
}
