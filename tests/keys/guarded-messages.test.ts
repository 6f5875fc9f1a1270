import { expect, it } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import { defineStrongroom, KmsError, openStrongroom, type StrongroomEvent } from '../../src/index.ts'

it('seals and opens messages through a service that is throttled now and then', async () => {
  const kms = memoryKms()
  let calls = 0
  const flaky: typeof kms = {
    ...kms,
    async wrap(key, call) {
      if (++calls % 2 === 1) throw new KmsError(kms.name, 'throttled', 'slow down')
      return kms.wrap(key, call)
    },
    async unwrap(wrapped, call) {
      if (++calls % 2 === 1) throw new KmsError(kms.name, 'throttled', 'slow down')
      return kms.unwrap(wrapped, call)
    },
  }
  const events: StrongroomEvent[] = []
  const config = defineStrongroom({
    name: 'guarded',
    kms: flaky,
    store: memoryKeyStore(),
    messages: false,
    onEvent: (event) => events.push(event),
  })
  const room = await openStrongroom(config, { init: true })
  events.length = 0

  const opened = await room.open(await room.seal('hello', { context: { kind: 'greeting' } }))

  expect(Buffer.from(opened.plaintext).toString()).toBe('hello')
  expect(events.filter(({ type }) => type === 'kms.failed')).toHaveLength(2)
  expect(
    events.filter(({ type }) => type === 'kms.called').map((event) => 'operation' in event && event.operation),
  ).toEqual(['wrap', 'unwrap'])
  await room.close()
})
