import { DecryptionError } from '../../src/errors.ts'
import type { AnyRow } from '../../src/mapping/mapped-record.ts'
import type { Part, Plan } from './selection.ts'

type Row = Record<string, unknown>

/** What a name in the result stands for: a field of a part, decrypted for each row, or nothing that the application gets. */
type Output = { readonly field: string; readonly plain: readonly (AnyRow | undefined)[] } | 'hidden'

/** The rows as the application gets them: decrypted, filtered, and without what the plugin added. @throws DecryptionError and what loading keys throws */
export async function readRows(rows: readonly Row[], plan: Plan): Promise<Row[]> {
  const [whole] = plan.parts
  if (plan.isTable && whole !== undefined) return readTable(rows, whole, plan)
  const outputs = new Map<string, Output>()
  const dropped = new Set<number>()
  for (const part of plan.parts) {
    const plain = await decryptPart(rows, part)
    for (const [output, field] of part.outputs) outputs.set(output, { field, plain })
    for (const name of part.hidden) outputs.set(name, 'hidden')
    dropUnfound(plain, part, plan, dropped)
  }
  const out: Row[] = []
  for (const [at, row] of rows.entries()) if (!dropped.has(at)) out.push(shownRow(row, at, outputs))
  return out
}

/** Rows that are already as the cipher takes them and gives them back. */
async function readTable(rows: readonly Row[], { source, outputs }: Part, { filters }: Plan): Promise<Row[]> {
  const [first = {}] = rows
  for (const output of outputs.keys()) if (!Object.hasOwn(first, output)) throw new DecryptionError()
  const plain = (await source.record.cipher.decryptMany(rows)) as Row[]
  return filters.reduce((left, searched) => searched.filter(left), plain)
}

/** What a part has in each row, decrypted; undefined where an outer join found none. */
async function decryptPart(rows: readonly Row[], part: Part): Promise<(AnyRow | undefined)[]> {
  const names = { identity: [...part.identity], outputs: [...part.outputs] }
  const stored: AnyRow[] = []
  const found = rows.map((row) => {
    const made = storedRow(row, names)
    return made === undefined ? undefined : stored.push(made) - 1
  })
  const plain = await part.source.record.cipher.decryptMany(stored)
  return found.map((at) => (at === undefined ? undefined : plain[at]))
}

type Names = readonly (readonly [string, string])[]

/** The row as the cipher takes it; undefined where an outer join found none. */
function storedRow(row: Row, { identity, outputs }: { identity: Names; outputs: Names }): AnyRow | undefined {
  if (identity.length > 0 && identity.every(([, output]) => row[output] === null)) {
    for (const [output] of outputs) if (row[output] !== null) throw new DecryptionError()
    return undefined
  }
  const stored: Row = {}
  for (const [column, output] of identity) stored[column] = row[output]
  for (const [output, field] of outputs) stored[field] = row[output]
  return stored
}

/** Finds the rows whose index tag is right by chance. */
function dropUnfound(plain: readonly (AnyRow | undefined)[], { source }: Part, plan: Plan, dropped: Set<number>): void {
  for (const searched of plan.filters) {
    if (searched.record.name !== source.record.name) continue
    const kept = new Set(searched.filter(plain.filter((row) => row !== undefined)))
    for (const [at, row] of plain.entries()) if (row !== undefined && !kept.has(row)) dropped.add(at)
  }
}

function shownRow(row: Row, at: number, outputs: ReadonlyMap<string, Output>): Row {
  const shown: Row = {}
  for (const name of Object.keys(row)) {
    const output = outputs.get(name)
    if (output === 'hidden') continue
    const plain = output?.plain[at]
    shown[name] = plain === undefined ? row[name] : plain[(output as { field: string }).field]
  }
  return shown
}
