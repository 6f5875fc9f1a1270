import { shortestSingle } from '../sql/single.ts'
import type { ColumnAlteration, TableColumn } from '../table.ts'
import type { OldCell } from './typed-text.ts'

/** Whether a column that alters values without an error keeps this one such that it is read as the same text. */
export function isKept(cell: OldCell, { alters = {} }: TableColumn): boolean {
  if (typeof cell !== 'string') return true
  if (alters.trims && cell.endsWith(' ')) return false
  return keepsNumber(cell, alters.numbers) && fractionOf(cell) <= (alters.decimals ?? Number.POSITIVE_INFINITY)
}

const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/
const WHOLE = /^(0|-?[1-9]\d*)$/

function keepsNumber(cell: string, numbers: ColumnAlteration['numbers']): boolean {
  if (numbers === undefined || !NUMBER.test(cell)) return true
  if (numbers === 'integer or double' && WHOLE.test(cell) && BigInt.asIntN(64, BigInt(cell)) === BigInt(cell))
    return true
  const number = Number(cell)
  if (numbers === 'single' && shortestSingle(Math.fround(number)) !== number) return false
  return String(number) === cell
}

/** The digits behind the last point, without zeros at the end, then an exponent or an offset. */
const FRACTION = /^[^.eE]*(?:\.(\d*?)0*)?(?:[eE]([+-]?\d+))?(?:[+-]\d{2})?$/

function fractionOf(cell: string): number {
  const [, fraction = '', exponent = '0'] = FRACTION.exec(cell) ?? []
  return fraction.length - Number(exponent)
}
