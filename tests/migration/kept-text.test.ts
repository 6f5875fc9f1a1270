import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { isKept } from '../../src/migration/kept-text.ts'
import { shortestSingle } from '../../src/sql/single.ts'
import type { ColumnAlteration } from '../../src/table.ts'

const kept = (cell: string, alters: ColumnAlteration) =>
  isKept(cell, { name: 'a', type: 'any', holds: 'other', nullable: true, width: null, alters })

test.each<[ColumnAlteration, kept: string[], not: string[]]>([
  [{}, ['anything', '1.50 ', '1e400'], []],
  [{ decimals: 2 }, ['1', '1.5', '1.50', '1.500', '12e-1', '-0.01', '1.234e3'], ['1.005', '1e-7', '-0.001']],
  [{ decimals: 0 }, ['2026-01-01 00:00:00', '2026-01-01 00:00:00.000', '42'], ['2026-01-01 00:00:00.001', '0.5']],
  [{ decimals: 3 }, ['2026-01-01 00:00:00.120+00'], ['2026-01-01 00:00:00.1234+00']],
  [{ numbers: 'double' }, ['0.1', '1e+21', 'text', ''], ['1.50', '9007199254740993', '1e21']],
  [{ numbers: 'single' }, ['0.1', '16777216', '3.4028235e+38'], ['0.123456789', '16777217', '0.30000000000000004']],
  [
    { numbers: 'integer or double' },
    ['9223372036854775807', '-9223372036854775808', '0.1', '2026-01-01', '100000000000000000000'],
    ['9223372036854775808', '007', '1.50', '+1'],
  ],
  [{ trims: true }, ['a', ' a'], ['a ']],
])('a column that alters %j keeps what it can hold, and nothing else', (alters, fits, not) => {
  for (const cell of fits) expect(kept(cell, alters), cell).toBe(true)
  for (const cell of not) expect(kept(cell, alters), cell).toBe(false)
})

test('a number of 32 bits is told by the fewest digits that lead back to it', () => {
  expect(shortestSingle(Math.fround(0.1))).toBe(0.1)
  expect(shortestSingle(Math.fround(16777216))).toBe(16777216)
  const view = new DataView(new ArrayBuffer(4))
  for (let bits = 1; bits < 0x7f800000; bits += 104_729) {
    view.setUint32(0, bits)
    assert.equal(Math.fround(shortestSingle(view.getFloat32(0))), view.getFloat32(0))
  }
})
