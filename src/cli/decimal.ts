/** What people write as a whole number: not the empty text, `0x10` or `1e3`, which `Number` reads as well. NaN for anything else. */
export function decimal(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
}
