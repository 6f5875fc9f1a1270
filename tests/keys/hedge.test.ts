import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { firstOf } from '../../src/keys/hedge.ts'

const answering =
  <T>(ms: number, value: T) =>
  (signal: AbortSignal) =>
    delay(ms, value, { signal })
const failing = (ms: number, message: string) => async () => {
  await delay(ms)
  throw new Error(message)
}
const nothing = () => {}

describe('firstOf', () => {
  it('asks nobody else when the first answers in time', async () => {
    let asked = false
    const second = async () => {
      asked = true
      return 'b'
    }
    expect(await firstOf([answering(1, 'a'), second], 50, undefined, nothing)).toEqual({ won: true, value: 'a' })
    await delay(60)
    expect(asked).toBe(false)
  })

  it('asks the next at once when the first fails', async () => {
    const start = performance.now()
    const outcome = await firstOf([failing(1, 'x'), answering(1, 'b')], 10_000, undefined, nothing)
    expect(outcome).toEqual({ won: true, value: 'b' })
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it('asks the next after the stated time, takes the faster, and aborts the slower', async () => {
    let aborted = false
    const slow = (signal: AbortSignal) =>
      new Promise<string>((_, reject) =>
        signal.addEventListener('abort', () => {
          aborted = true
          reject(signal.reason)
        }),
      )
    expect(await firstOf([slow, answering(1, 'b')], 20, undefined, nothing)).toEqual({ won: true, value: 'b' })
    expect(aborted).toBe(true)
  })

  it('gives every failure, in the order of the tries', async () => {
    const outcome = await firstOf(
      [failing(20, 'first'), failing(1, 'second'), failing(1, 'third')],
      5,
      undefined,
      nothing,
    )
    expect(outcome.won).toBe(false)
    expect(outcome.won ? [] : outcome.errors.map(String)).toEqual(['Error: first', 'Error: second', 'Error: third'])
  })

  it('discards what comes too late', async () => {
    const late: string[] = []
    const deaf = async () => {
      await delay(40)
      return 'a'
    }
    expect(await firstOf([deaf, answering(1, 'b')], 5, undefined, (value) => late.push(value))).toMatchObject({
      value: 'b',
    })
    await delay(60)
    expect(late).toEqual(['a'])
  })

  it('ends at once with the reason of the caller', async () => {
    const abort = new AbortController()
    const late: string[] = []
    const deaf = () => delay(50, 'a')
    const running = firstOf([deaf], 5, abort.signal, (value) => late.push(value))
    abort.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
    await delay(70)
    expect(late).toEqual(['a'])
  })

  it('starts nothing for a caller who has already aborted', async () => {
    let started = false
    const attempt = async () => {
      started = true
    }
    await expect(firstOf([attempt], 5, AbortSignal.abort(new Error('no')), nothing)).rejects.toThrow('no')
    expect(started).toBe(false)
  })
})
