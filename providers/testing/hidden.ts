import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { inspect } from 'node:util'

/**
 * Fails when a secret can be read from what a value prints: `util.inspect` with hidden properties, JSON, a string, and
 * the messages, stacks and causes of errors, in hexadecimal, base64, decimal and Latin-1.
 */
export function assertHidden(value: unknown, secrets: readonly Uint8Array[]): void {
  const printed = printsOf(value).join('\n').replace(/\s+/g, '')
  for (const secret of secrets) {
    for (const form of formsOf(secret)) {
      assert.ok(!printed.includes(form), 'a secret can be read from what is printed')
    }
  }
}

function printsOf(value: unknown): string[] {
  const prints = [inspect(value, { depth: 10, showHidden: true, maxArrayLength: 1000 }), String(value)]
  try {
    prints.push(JSON.stringify(value) ?? '')
  } catch {
    // a client with cycles has no JSON form, and so shows nothing in one
  }
  if (value instanceof Error) prints.push(value.message, value.stack ?? '', ...printsOf(value.cause))
  return prints
}

/** Half of the secret is enough: prints are often cut. */
function formsOf(secret: Uint8Array): string[] {
  const whole = Buffer.from(secret)
  const half = whole.subarray(0, Math.ceil(whole.byteLength / 2))
  const hex = half.toString('hex')
  const base64 = whole.toString('base64').slice(0, Math.floor((half.byteLength * 4) / 3))
  const forms = [hex, hex.toUpperCase(), base64, base64.replace(/\+/g, '-').replace(/\//g, '_'), [...half].join(',')]
  return half.byteLength < 4 ? [] : [...forms, half.toString('latin1').replace(/\s+/g, '')]
}
