import { createHash } from 'node:crypto'
import { assertObject, assertText, assertWhole, describe } from '../bytes.ts'
import { InvalidInputError, StrongroomError } from '../errors.ts'
import type { PasswordBlocklist } from './policy.ts'

/** The part of a `fetch` answer that is read. */
export interface RangeResponse {
  readonly ok: boolean
  readonly status: number
  text(): Promise<string>
}

/** How the service is asked. */
export interface BreachedPasswordsOptions {
  /** Your `fetch`, so that proxies, tracing and tests stay yours. */
  readonly fetch: (
    url: string,
    init: { headers: Record<string, string>; signal: AbortSignal; redirect: 'error' },
  ) => Promise<RangeResponse>
  /** Where ranges are served. Default `https://api.pwnedpasswords.com/range/`; your own mirror will do. */
  readonly url?: string
  /** How often a password must have been seen to be blocked. Default 1. */
  readonly minCount?: number
  /** Longest wait in ms. Default 3,000. */
  readonly timeoutMs?: number
  /** What to do when the service does not answer: `throw` (default), or `accept` the password as far as this list goes. */
  readonly ifUnavailable?: 'throw' | 'accept'
}

const PREFIX_LENGTH = 5
const MAX_ANSWER = 1_048_576
const LINE = /^([0-9A-F]{35}):([0-9]{1,10})$/

/**
 * Passwords that were published by breaches, asked of a service that learns the first five characters of a SHA-1 and
 * nothing else (k-anonymity), as Have I Been Pwned serves them. Answers are padded, so that their size tells nothing.
 *
 * @throws InvalidInputError when an option is out of range. `has` rejects with a StrongroomError of code
 *   `ERR_BLOCKLIST_UNAVAILABLE` when the service fails, unless `ifUnavailable` is `accept`
 */
export function breachedPasswords(options: BreachedPasswordsOptions): PasswordBlocklist {
  assertObject(options, 'the options')
  const { fetch, url = 'https://api.pwnedpasswords.com/range/', ifUnavailable = 'throw' } = options
  const { minCount = 1, timeoutMs = 3_000 } = options
  if (typeof fetch !== 'function') throw new InvalidInputError(`fetch must be a function, received ${describe(fetch)}`)
  if (typeof url !== 'string' || !/^https:\/\/|^http:\/\/(127\.0\.0\.1|localhost)[:/]/.test(url)) {
    throw new InvalidInputError('url must begin with https://')
  }
  if (!['throw', 'accept'].includes(ifUnavailable)) {
    throw new InvalidInputError(`ifUnavailable must be throw or accept, received ${describe(ifUnavailable)}`)
  }
  assertWhole(minCount, 'minCount', 1, 1_000_000_000)
  assertWhole(timeoutMs, 'timeoutMs', 1, 60_000)

  return {
    name: 'breached-passwords',
    async has(password) {
      assertText(password, 'password')
      const hash = createHash('sha1').update(password, 'utf8').digest('hex').toUpperCase()
      try {
        const answer = await ask(hash.slice(0, PREFIX_LENGTH))
        return countIn(answer, hash.slice(PREFIX_LENGTH)) >= minCount
      } catch (cause) {
        if (ifUnavailable === 'accept') return false
        throw new StrongroomError('ERR_BLOCKLIST_UNAVAILABLE', 'the list of breached passwords did not answer', {
          cause,
        })
      }
    },
  }

  async function ask(prefix: string): Promise<string> {
    const signal = AbortSignal.timeout(timeoutMs)
    const response = await fetch(url + prefix, { headers: { 'Add-Padding': 'true' }, signal, redirect: 'error' })
    if (!response.ok) throw new Error(`status ${response.status}`)
    const text = await response.text()
    if (text.length > MAX_ANSWER) throw new Error('the answer is too long')
    return text
  }
}

/** Padding lines have a count of 0. A line of another shape means that this is not the service. */
function countIn(answer: string, suffix: string): number {
  for (const line of answer.trim().split(/\r?\n/)) {
    const [, lineSuffix, count] = LINE.exec(line) ?? []
    if (lineSuffix === undefined) throw new Error('the answer is not a list of hashes')
    if (lineSuffix === suffix) return Number(count)
  }
  return 0
}
