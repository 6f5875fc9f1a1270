import { DecryptionError } from '../../src/errors.ts'
import type { AnyRow } from '../../src/mapping/mapped-record.ts'
import type { Part, Plan } from './selection.ts'

type Row = Record<string, unknown>

/** The rows as the application gets them: decrypted, filtered, and without what the plugin added. @throws DecryptionError and what loading keys throws */
export async function readRows(rows: readonly Row[], plan: Plan): Promise<Row[]> {
  const out = rows.map((row) => ({ ...row }))
  const dropped = new Set<Row>()
  for (const part of plan.parts) await decryptPart(rows, out, part, plan, dropped)
  return dropped.size === 0 ? out : out.filter((row) => !dropped.has(row))
}

async function decryptPart(rows: readonly Row[], out: Row[], part: Part, plan: Plan, dropped: Set<Row>): Promise<void> {
  const { record } = part.source
  const found: number[] = []
  const stored: AnyRow[] = []
  for (const [at, row] of rows.entries()) {
    const made = storedRow(row, part)
    if (made === undefined) continue
    found.push(at)
    stored.push(made)
  }
  const plain = await record.cipher.decryptMany(stored)
  for (const [at, values] of plain.entries()) {
    const row = out[found[at] as number] as Row
    for (const [output, field] of part.outputs) row[output] = values[field]
  }
  for (const row of out) for (const name of part.hidden) delete row[name]
  const filters = plan.filters.filter((searched) => searched.record.name === record.name)
  for (const searched of filters) {
    const kept = new Set(searched.filter(plain))
    for (const [at, values] of plain.entries()) if (!kept.has(values)) dropped.add(out[found[at] as number] as Row)
  }
}

/** The row as the cipher takes it; undefined where an outer join found none. */
function storedRow(row: Row, part: Part): AnyRow | undefined {
  const identity = [...part.identity].map(([column, output]) => [column, row[output]] as const)
  if (identity.length > 0 && identity.every(([, value]) => value === null)) {
    for (const output of part.outputs.keys()) if (row[output] !== null) throw new DecryptionError()
    return undefined
  }
  return Object.fromEntries([...identity, ...[...part.outputs].map(([output, field]) => [field, row[output]] as const)])
}
