const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?$/
const MAX_LENGTH = 1_000

/** Reads a decimal number as the one JavaScript number that is written with the same digits. @returns undefined when none is */
export function exactNumber(text: string): number | undefined {
  const wanted = digitsOf(text)
  if (wanted === undefined) return undefined
  const number = Number(text)
  if (!Number.isFinite(number)) return undefined
  return digitsOf(String(number)) === wanted || (number === 0 && wanted === '0') ? number : undefined
}

/** Sign, digits without zeros at either end, and exponent: equal for equal numbers, however they are written. */
function digitsOf(text: string): string | undefined {
  const [whole, sign, before = '', after = '', exponent = '0'] = (text.length <= MAX_LENGTH && DECIMAL.exec(text)) || []
  if (whole === undefined || before + after === '') return undefined
  const digits = (before + after).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign === '-' ? '-' : ''}${significant}e${Number(exponent) - after.length + digits.length - significant.length}`
}

const JSON_NUMBER_OR_STRING = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Whether reading this JSON keeps all digits of all numbers in it. */
export function keepsNumbers(json: string): boolean {
  for (const [token] of json.matchAll(JSON_NUMBER_OR_STRING)) {
    if (!token.startsWith('"') && exactNumber(token) === undefined) return false
  }
  return true
}
