import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { waitFor } from '../src/wait-for.ts'

test('a signal ends the wait of its owner and of nobody else', async () => {
  const work = new Promise((resolve) => setTimeout(resolve, 20, 'done'))
  const controller = new AbortController()
  const [mine, other] = [waitFor(work, controller.signal), waitFor(work, undefined)]
  const reason = new Error('gone')
  controller.abort(reason)
  await expect(mine).rejects.toBe(reason)
  await expect(other).resolves.toBe('done')
})

test('a signal that is already aborted rejects at once', async () => {
  const reason = new Error('gone')
  await expect(waitFor(Promise.resolve(1), AbortSignal.abort(reason))).rejects.toBe(reason)
})

test('the failure of the work is passed on, and no listener stays behind', async () => {
  const { signal } = new AbortController()
  await expect(waitFor(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
  await waitFor(Promise.resolve(1), signal)
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
