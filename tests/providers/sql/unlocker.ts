import { rawAes } from '../../../providers/raw/index.ts'
import { openStrongroom } from '../../../src/strongroom.ts'
import { storeAt } from './at.ts'

/** Opens a Strongroom, waits for a line on stdin, and then unlocks one tenant, which makes its key. Prints the key's id. */
const [url] = process.argv.slice(2) as [string]
const room = await openStrongroom({
  name: 'billing',
  kms: rawAes({ namespace: 'test', name: 'root', key: Buffer.alloc(32, 7) }),
  store: storeAt(url),
})
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
await room.unlock([{ tenant: 'acme' }])
const value = room.encrypt('x', { context: { a: 'b' }, scope: { tenant: 'acme' } })
const [key] = await room.keys.list({ purpose: 'data', state: 'active', scope: { tenant: 'acme' } })
room.decrypt(value, { context: { a: 'b' }, scope: { tenant: 'acme' } })
process.stdout.write(`${key?.id}\n`)
await room.close()
process.exit()
