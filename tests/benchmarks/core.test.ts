import { describe, expect, test } from 'vitest'
import { blindIndex } from '../../benchmarks/blind-index-suite.ts'
import { keys } from '../../benchmarks/keys.ts'
import { records } from '../../benchmarks/records.ts'
import { isMet, type Result } from '../../benchmarks/result.ts'
import { formatTable } from '../../benchmarks/table.ts'

const quick = { quick: true, peers: false }

describe('the core benchmarks', () => {
  test('print every line of P1, P2 and P3 with a measurement', async () => {
    const results = [...(await records(quick)), ...(await blindIndex(quick))]
    const ids = new Set(results.map((result) => result.id))
    expect(ids).toEqual(new Set(['P1 encrypt', 'P2 decrypt', 'P3 index']))
    for (const { measured, value } of results) {
      expect(measured).toMatch(/^[\d,]+ \/s/)
      if (value !== undefined) expect(value).toBeGreaterThan(0)
    }
    expect(formatTable(results).split('\n')).toHaveLength(results.length + 2)
  })

  test('ask the KMS once, whatever the number of fields, tenants and persons', async () => {
    const results = await keys(quick)
    const targets = results.filter((result) => result.target !== undefined)
    expect(targets.map((result) => result.id)).toEqual(['P4 calls', 'P5 flight', 'P5 flight'])
    for (const result of targets) expect({ what: result.what, met: isMet(result) }).toMatchObject({ met: true })
  })

  test('say MISS where a target is missed', () => {
    const missed: Result = { id: 'P0', what: 'nothing', measured: '1 ×', value: 1, target: { atLeast: 2 } }
    expect(formatTable([missed])).toMatch(/≥ 2 +MISS$/)
    expect(formatTable([{ ...missed, value: 2 }])).toMatch(/≥ 2 +ok$/)
  })
})
