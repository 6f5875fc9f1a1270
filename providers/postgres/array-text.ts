/**
 * An array of texts and nulls in the notation of PostgreSQL, at a fraction of what the driver takes for it; any other is left to
 * the driver. JSON is that notation in other brackets as long as nothing in it had to be escaped.
 */
export function arrayText(items: readonly unknown[]): unknown {
  for (const item of items) if (typeof item !== 'string' && item !== null && item !== undefined) return items
  const json = JSON.stringify(items)
  return json.includes('\\') ? items : `{${json.slice(1, -1)}}`
}
