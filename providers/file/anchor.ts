import { Buffer } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { assertFilled, assertObject } from '../../src/bytes.ts'
import { KeyStoreError } from '../../src/errors.ts'
import type { KeyLogAnchor, KeyLogHead } from '../../src/key-store.ts'
import { checkedAnchor } from '../../src/key-store-checks.ts'
import { createFile } from './create-file.ts'
import { replaceFile } from './replace-file.ts'

const HASH = /^[0-9a-f]{64}$/
const MAX_BYTES = 1024

/**
 * Keeps the end of the key log in a file of its own, on a volume that whoever writes the key store cannot write.
 *
 * @param options.path the file; made at the first write, its directory must exist
 * @throws InvalidInputError; its methods throw KeyStoreError
 */
export function fileAnchor(options: { readonly path: string }): KeyLogAnchor {
  assertObject(options, 'the options')
  assertFilled(options.path, 'path')
  const path = resolve(options.path)

  const read = async (): Promise<KeyLogHead | undefined> => {
    const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined
      throw new KeyStoreError('unavailable', `cannot read the anchor ${path}: ${cause.code ?? 'unknown error'}`, {
        cause,
      })
    })
    if (text === undefined) return undefined
    const head = parse(text)
    if (head === undefined) throw new KeyStoreError('corrupt', `the anchor ${path} is damaged; it was left as it is`)
    return head
  }

  return checkedAnchor({
    read,
    async write(head) {
      const content = Buffer.from(`${JSON.stringify({ seq: head.seq, hash: head.hash })}\n`, 'utf8')
      if (await createFile(path, [content])) return
      const isNewer = async () => ((await read())?.seq ?? 0) < head.seq
      if (await isNewer()) await replaceFile(path, [content], isNewer, () => {})
    },
  })
}

function parse(text: string): KeyLogHead | undefined {
  if (text.length > MAX_BYTES) return undefined
  try {
    const { seq, hash } = JSON.parse(text)
    return Number.isSafeInteger(seq) && seq > 0 && HASH.test(hash) ? { seq, hash } : undefined
  } catch {
    return undefined
  }
}
