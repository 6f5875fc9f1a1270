import { describe, expect, it } from 'vitest'
import { ClosedError, InvalidInputError, KmsError, type KmsErrorKind } from '../../src/errors.ts'
import { resilience } from '../../src/keys/resilience.ts'
import type { ResilienceOptions } from '../../src/keys/resilience-options.ts'
import { FakeClock, settled } from './fixtures.ts'

const quick: ResilienceOptions = {
  backoffMs: 1,
  maxBackoffMs: 2,
  probeAfterMs: 40,
  maxProbeAfterMs: 80,
  recoveryMs: 100,
}
const fail = (kind: KmsErrorKind) => new KmsError('test', kind, kind)
const silent = () => {}

/** Plays `script` one attempt at a time: an error is thrown, anything else returned, the last one for ever. */
function service(script: readonly unknown[]) {
  let calls = 0
  const operation = async () => {
    const step = script[Math.min(calls++, script.length - 1)]
    if (step instanceof Error) throw step
    return step
  }
  return { operation, calls: () => calls }
}

describe('resilience', () => {
  it.each(['throttled', 'unavailable'] as const)('tries again when the service is %s', async (kind) => {
    const { operation, calls } = service([fail(kind), fail(kind), 'ok'])
    expect(await resilience('test', quick).call(operation, silent)).toBe('ok')
    expect(calls()).toBe(3)
  })

  it('does not take a service for down whose hanging calls end together while it answers others', async () => {
    const clock = new FakeClock()
    const member = resilience('test', { openAfter: 3, attemptTimeoutMs: 100, maxAttempts: 1 }, clock)
    const hanging = () => new Promise<never>(() => {})
    const ends = Promise.allSettled(Array.from({ length: 10 }, () => member.call(hanging, silent)))
    await clock.forward(20)
    expect(await member.call(async () => 'ok', silent)).toBe('ok')
    await clock.forward(80)
    expect((await ends).every(({ status }) => status === 'rejected')).toBe(true)
    expect(member.healthy).toBe(true)
    expect(await member.call(async () => 'ok', silent)).toBe('ok')
    const down = Promise.allSettled(Array.from({ length: 3 }, () => member.call(hanging, silent)))
    await clock.forward(100)
    await down
    expect(member.healthy).toBe(false)
  })

  it.each([
    'denied',
    'key-disabled',
    'key-not-found',
    'context-mismatch',
    'invalid-ciphertext',
    'misconfigured',
  ] as const)('does not try again when the answer is %s', async (kind) => {
    const { operation, calls } = service([fail(kind)])
    await expect(resilience('test', quick).call(operation, silent)).rejects.toMatchObject({ kind })
    expect(calls()).toBe(1)
  })

  it('stops after the stated number of attempts, with the last error', async () => {
    const { operation, calls } = service([fail('throttled')])
    await expect(resilience('test', { ...quick, maxAttempts: 4 }).call(operation, silent)).rejects.toMatchObject({
      kind: 'throttled',
    })
    expect(calls()).toBe(4)
  })

  it('gives up an attempt that does not answer, aborts it, and tries again', async () => {
    const signals: AbortSignal[] = []
    const hanging = (signal: AbortSignal) => {
      signals.push(signal)
      return signals.length < 3 ? new Promise<string>(() => {}) : Promise.resolve('ok')
    }
    expect(await resilience('test', { ...quick, attemptTimeoutMs: 20 }).call(hanging, silent)).toBe('ok')
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true, false])
  })

  it('ends at the deadline, in the middle of an attempt or of a wait', async () => {
    const clock = new FakeClock()
    const hanging = () => new Promise<string>(() => {})
    const ended = expect(resilience('test', { deadlineMs: 50 }, clock).call(hanging, silent)).rejects.toMatchObject({
      kind: 'unavailable',
      message: 'test: did not answer within 50 ms',
    })
    await clock.forward(50)
    await ended
    const waiting: ResilienceOptions = { backoffMs: 60_000, maxBackoffMs: 60_000, deadlineMs: 50 }
    const { operation } = service([fail('throttled')])
    const given = expect(resilience('test', waiting, clock).call(operation, silent)).rejects.toMatchObject({
      kind: 'unavailable',
      cause: { kind: 'throttled' },
    })
    await clock.forward(50)
    await given
    expect(clock.waiting).toEqual([])
  })

  it('rejects at once with the reason of a caller who aborts, wherever it stands', async () => {
    const reason = new Error('enough')
    const hanging = () => new Promise<string>(() => {})
    const waiting: ResilienceOptions = { backoffMs: 60_000, maxBackoffMs: 60_000 }
    for (const [operation, options] of [
      [hanging, quick],
      [service([fail('throttled')]).operation, waiting],
    ] as const) {
      const abort = new AbortController()
      const running = resilience('test', options).call<unknown>(operation, silent, abort.signal)
      setTimeout(() => abort.abort(reason), 15)
      await expect(running).rejects.toBe(reason)
    }
  })

  it('calls nothing for a caller who has already aborted', async () => {
    const { operation, calls } = service(['ok'])
    const signal = AbortSignal.abort(new Error('no'))
    await expect(resilience('test', quick).call(operation, silent, signal)).rejects.toThrow('no')
    expect(calls()).toBe(0)
  })

  it('aborted calls leave the circuit closed: the caller gave up, not the service', async () => {
    const member = resilience('test', { ...quick, openAfter: 1 })
    const abort = new AbortController()
    const running = member.call(() => new Promise<string>(() => {}), silent, abort.signal)
    abort.abort()
    await expect(running).rejects.toThrow()
    expect(member.healthy).toBe(true)
  })

  it('reports every attempt with its outcome', async () => {
    const seen: (string | undefined)[] = []
    const { operation } = service([fail('throttled'), fail('unavailable'), 'ok'])
    await resilience('test', quick).call(operation, (error, ms) => {
      expect(ms).toBeGreaterThanOrEqual(0)
      seen.push(error?.kind)
    })
    expect(seen).toEqual(['throttled', 'unavailable', undefined])
  })

  it('opens the circuit after so many unavailable answers in a row, and then asks nobody', async () => {
    const member = resilience('test', { ...quick, openAfter: 3 })
    const { operation, calls } = service([fail('unavailable')])
    await expect(member.call(operation, silent)).rejects.toMatchObject({ kind: 'unavailable', retryable: true })
    expect([calls(), member.healthy]).toEqual([3, false])
    await expect(member.call(operation, silent)).rejects.toThrow('is down and not called until the next probe')
    expect(calls()).toBe(3)
  })

  it('keeps the circuit closed for a service that throttles', async () => {
    const member = resilience('test', { ...quick, openAfter: 2 })
    await expect(member.call(service([fail('throttled')]).operation, silent)).rejects.toThrow()
    expect(member.healthy).toBe(true)
  })

  it('counts only what comes in a row: any other answer shows that the service is alive', async () => {
    const member = resilience('test', { ...quick, openAfter: 3, maxAttempts: 20 })
    const mixed = [fail('unavailable'), fail('unavailable'), fail('throttled')]
    const { operation, calls } = service([...mixed, ...mixed, ...mixed, 'ok'])
    expect(await member.call(operation, silent)).toBe('ok')
    expect([calls(), member.healthy]).toEqual([10, true])
  })

  it('lets one probe through when it is due, and closes when that succeeds', async () => {
    const clock = new FakeClock()
    const member = resilience('test', { ...quick, openAfter: 1, maxAttempts: 1 }, clock)
    let up = false
    let calls = 0
    const operation = async () => {
      calls++
      await settled()
      if (!up) throw fail('unavailable')
      return 'ok'
    }
    await expect(member.call(operation, silent)).rejects.toThrow()
    await clock.forward(19)
    await expect(member.call(operation, silent)).rejects.toThrow('until the next probe')
    await clock.forward(21)
    const probing = await Promise.allSettled(Array.from({ length: 20 }, () => member.call(operation, silent)))
    expect(probing.every(({ status }) => status === 'rejected')).toBe(true)
    expect(calls).toBe(2)
    up = true
    await clock.forward(80)
    expect(await member.call(operation, silent)).toBe('ok')
    expect(member.healthy).toBe(true)
  })

  it('holds back the rush after an outage to the stated rate', async () => {
    const clock = new FakeClock()
    const options = { ...quick, openAfter: 1, maxAttempts: 1, recoveryPerSecond: 100, recoveryMs: 5000 }
    const member = resilience('test', options, clock)
    await expect(member.call(service([fail('unavailable')]).operation, silent)).rejects.toThrow()
    await clock.forward(50)
    const starts: number[] = []
    const operation = async () => {
      starts.push(clock.now())
      return 'ok'
    }
    const all = Promise.all(Array.from({ length: 30 }, () => member.call(operation, silent)))
    await clock.forward(290)
    await all
    expect(starts).toEqual(Array.from({ length: 30 }, (_, at) => 50 + 10 * at))
  })

  it('turns away as throttled who cannot be served before the deadline', async () => {
    const clock = new FakeClock()
    const rate = { recoveryPerSecond: 20, recoveryMs: 5000 }
    const member = resilience('test', { ...quick, openAfter: 1, maxAttempts: 1, deadlineMs: 90, ...rate }, clock)
    await expect(member.call(service([fail('unavailable')]).operation, silent)).rejects.toThrow()
    await clock.forward(50)
    const calls = Promise.allSettled(Array.from({ length: 20 }, () => member.call(async () => 'ok', silent)))
    await clock.forward(90)
    const results = await calls
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(2)
    const turnedAway = results.find((result) => result.status === 'rejected')
    expect(turnedAway).toMatchObject({ reason: { kind: 'throttled', retryable: true } })
  })

  it('passes on errors of ours as they are, and marks what is none as a fault of the provider', async () => {
    const closed = new ClosedError('key')
    await expect(resilience('test').call(service([closed]).operation, silent)).rejects.toBe(closed)
    const bug = new RangeError('x')
    await expect(resilience('test').call(service([bug]).operation, silent)).rejects.toMatchObject({
      kind: 'misconfigured',
      cause: bug,
    })
  })

  it.each([
    { attemptTimeoutMs: 0 },
    { maxAttempts: 21 },
    { deadlineMs: Number.NaN },
    { recoveryPerSecond: '50' as unknown as number },
  ])('refuses %j', (options) => {
    expect(() => resilience('test', options)).toThrow(InvalidInputError)
  })

  it('leaves no timer behind that keeps the process alive', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    await resilience('test').call(async () => 'ok', silent)
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThanOrEqual(before)
  })
})
