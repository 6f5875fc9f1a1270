import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Admission } from '../../src/passwords/admission.ts'

const unit = { memoryKiB: 1024, threads: 1 }

/** Work that ends when it is told to. */
function gate() {
  const open: (() => void)[] = []
  const started: string[] = []
  const work = (name: string) => () => {
    started.push(name)
    return new Promise<string>((resolve) => open.push(() => resolve(name)))
  }
  const finish = async () => {
    open.shift()?.()
    await sleep(0)
  }
  return { work, finish, started, open }
}

test('no more runs at once than memory and threads allow', async () => {
  for (const options of [
    { memoryMiB: 3, concurrency: 8 },
    { memoryMiB: 100, concurrency: 3 },
  ]) {
    const admission = new Admission(options)
    let now = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++now)
      await sleep(1)
      now--
    }
    await Promise.all(Array.from({ length: 40 }, () => admission.run(unit, work)))
    expect(most).toBe(3)
  }
})

test('work with many lanes takes as many threads, but never more than there are', async () => {
  const admission = new Admission({ concurrency: 2 })
  const { work, finish, started } = gate()
  const all = [admission.run({ memoryKiB: 1, threads: 16 }, work('wide')), admission.run(unit, work('next'))]
  await sleep(0)
  expect(started).toEqual(['wide'])
  await finish()
  expect(started).toEqual(['wide', 'next'])
  await finish()
  await Promise.all(all)
})

test('a full queue refuses with a time to retry after', async () => {
  const admission = new Admission({ concurrency: 1, queue: 2 })
  const { work, finish } = gate()
  const accepted = ['a', 'b', 'c'].map((name) => admission.run(unit, work(name)))
  await expect(admission.run(unit, work('d'))).rejects.toMatchObject({
    code: 'ERR_OVERLOADED',
    retryAfter: expect.any(Number),
  })
  for (let i = 0; i < 3; i++) await finish()
  expect(await Promise.all(accepted)).toEqual(['a', 'b', 'c'])
})

test('whoever waits past the deadline is refused, and does not run later', async () => {
  const admission = new Admission({ concurrency: 1, deadlineMs: 20 })
  const { work, finish, started } = gate()
  const first = admission.run(unit, work('first'))
  await expect(admission.run(unit, work('late'))).rejects.toMatchObject({
    code: 'ERR_OVERLOADED',
    message: /waited 20 ms/,
  })
  await finish()
  await first
  expect(started).toEqual(['first'])
  expect(await admission.run(unit, async () => 'free again')).toBe('free again')
})

test('keys take turns: one that asks a lot does not hold up another', async () => {
  const admission = new Admission({ concurrency: 1, queue: 100 })
  const { work, finish, started } = gate()
  const all = Array.from({ length: 10 }, (_, i) => admission.run(unit, work(`attacker ${i}`), { key: 'attacker' }))
  all.push(admission.run(unit, work('ada'), { key: 'ada' }), admission.run(unit, work('bob'), { key: 'bob' }))
  for (let i = 0; i < 12; i++) await finish()
  await Promise.all(all)
  expect(started.slice(0, 5)).toEqual(['attacker 0', 'attacker 1', 'ada', 'bob', 'attacker 2'])
})

test('when the queue is full, the key with most calls gives way', async () => {
  const admission = new Admission({ concurrency: 1, queue: 4 })
  const { work, finish, started } = gate()
  const attacker = Array.from({ length: 5 }, (_, i) =>
    admission.run(unit, work(`attacker ${i}`), { key: 'attacker' }).catch((error) => error.code),
  )
  const ada = admission.run(unit, work('ada'), { key: 'ada' })
  for (let i = 0; i < 5; i++) await finish()
  expect(await ada).toBe('ada')
  expect((await Promise.all(attacker)).filter((answer) => answer === 'ERR_OVERLOADED').length).toBe(1)
  expect(started.indexOf('ada')).toBe(2)
})

test('a signal ends the wait with its reason, and the place is given back', async () => {
  const admission = new Admission({ concurrency: 1, queue: 1 })
  const { work, finish, started } = gate()
  const first = admission.run(unit, work('first'))
  const controller = new AbortController()
  const waiting = admission.run(unit, work('called off'), { signal: controller.signal })
  controller.abort(new Error('client went away'))
  await expect(waiting).rejects.toThrow('client went away')
  const second = admission.run(unit, work('second'))
  await finish()
  await finish()
  expect(await Promise.all([first, second])).toEqual(['first', 'second'])
  expect(started).toEqual(['first', 'second'])
  await expect(admission.run(unit, work('never'), { signal: controller.signal })).rejects.toThrow('client went away')
})

test('a signal during the work ends the call at once; the memory stays taken until the work ends', async () => {
  const admission = new Admission({ concurrency: 1 })
  const { work, finish, started } = gate()
  const controller = new AbortController()
  const running = admission.run(unit, work('running'), { signal: controller.signal })
  await sleep(0)
  controller.abort(new Error('gone'))
  await expect(running).rejects.toThrow('gone')
  const next = admission.run(unit, work('next'))
  await sleep(0)
  expect(started).toEqual(['running'])
  await finish()
  expect(started).toEqual(['running', 'next'])
  await finish()
  expect(await next).toBe('next')
})

test('work that fails gives its place back', async () => {
  const admission = new Admission({ concurrency: 1 })
  for (let i = 0; i < 3; i++) {
    await expect(admission.run(unit, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  }
  expect(await admission.run(unit, async () => 'ok')).toBe('ok')
})

test('large work at the head of the line is not overtaken for ever, and its deadline lets the others go', async () => {
  const admission = new Admission({ memoryMiB: 2, concurrency: 4, deadlineMs: 30 })
  const { work, finish, started } = gate()
  const small = admission.run(unit, work('small'))
  const large = admission.run({ memoryKiB: 2048, threads: 1 }, work('large'))
  await sleep(10)
  const behind = admission.run(unit, work('behind'))
  expect(started).toEqual(['small'])
  await expect(large).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
  expect(started).toEqual(['small', 'behind'])
  await finish()
  await finish()
  await Promise.all([small, behind])
})

test('work that can never fit is refused, and so are limits that make no sense', async () => {
  const admission = new Admission({ memoryMiB: 1 })
  await expect(admission.run({ memoryKiB: 1025, threads: 1 }, async () => 1)).rejects.toThrow(/does not fit/)
  for (const wrong of [{ memoryMiB: 0 }, { concurrency: 0 }, { queue: -1 }, { deadlineMs: 0 }, { queue: 1.5 }]) {
    expect(() => new Admission(wrong)).toThrow(/whole number/)
  }
})
