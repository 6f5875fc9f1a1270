import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeyStoreFile, fileAnchor, fileKeyStore } from '../../providers/file/index.ts'
import { memoryKms } from '../../providers/memory/index.ts'
import {
  defineStrongroom,
  type KeyLogAnchor,
  KeyRecordError,
  openStrongroom,
  type StrongroomEvent,
} from '../../src/index.ts'

describe('an anchor of the key log', () => {
  let folder = ''
  const key = randomBytes(32)
  const path = () => join(folder, 'keys')
  const open = async (anchor?: KeyLogAnchor, events: StrongroomEvent[] = []) => {
    const config = defineStrongroom({
      name: 'anchored',
      kms: memoryKms({ key }),
      store: fileKeyStore({ path: path() }),
      onEvent: (event) => events.push(event),
      ...(anchor === undefined ? {} : { anchor }),
    })
    return openStrongroom(config, { init: true })
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-anchor-'))
    await createKeyStoreFile({ path: path() })
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('refuses a store of which an older copy was put back, in a process that never saw the newer one', async () => {
    const anchor = fileAnchor({ path: join(folder, 'anchor') })
    const room = await open(anchor)
    const older = readFileSync(path())
    await room.keys.rotate()
    await room.close()
    writeFileSync(path(), older)

    await expect(open(anchor)).rejects.toMatchObject({ code: 'ERR_KEY_RECORD', fault: 'log' })
    await (await open()).close() // without the anchor nobody can tell
  })

  it('refuses a store whose log was replaced by another of the same length', async () => {
    const anchor = fileAnchor({ path: join(folder, 'anchor') })
    const room = await open(anchor)
    const before = readFileSync(path())
    await room.keys.rotate()
    await room.close()
    writeFileSync(path(), before)
    const forked = await open()
    await forked.keys.rotate()
    await forked.close()

    await expect(open(anchor)).rejects.toBeInstanceOf(KeyRecordError)
  })

  it('follows the log as it grows', async () => {
    const anchor = fileAnchor({ path: join(folder, 'anchor') })
    const room = await open(anchor)
    expect((await anchor.read())?.seq).toBe(1)
    await room.keys.rotate()
    expect((await anchor.read())?.seq).toBe(2)
    await room.close()
    await (await open(anchor)).close()
  })

  it('does not undo what is committed when it cannot be written, says so, and catches up', async () => {
    const events: StrongroomEvent[] = []
    const kept = fileAnchor({ path: join(folder, 'anchor') })
    let down = false
    const anchor: KeyLogAnchor = {
      read: () => kept.read(),
      write: async (head) => {
        if (down) throw new Error('down')
        await kept.write(head)
      },
    }
    const room = await open(anchor, events)
    down = true
    await room.keys.rotate()
    expect(events.filter(({ type }) => type === 'anchor.failed')).toEqual([{ type: 'anchor.failed', seq: 2 }])
    expect((await kept.read())?.seq).toBe(1)
    down = false
    await room.refresh()
    expect((await kept.read())?.seq).toBe(2)
    await room.close()
  })

  it('never goes back, and is refused when it is damaged', async () => {
    const anchor = fileAnchor({ path: join(folder, 'anchor') })
    const head = { seq: 5, hash: 'a'.repeat(64) }
    await anchor.write(head)
    await anchor.write({ seq: 4, hash: 'b'.repeat(64) })
    expect(await anchor.read()).toEqual(head)
    writeFileSync(join(folder, 'anchor'), '{"seq":5')
    await expect(anchor.read()).rejects.toMatchObject({ code: 'ERR_KEY_STORE', fault: 'corrupt' })
  })
})
