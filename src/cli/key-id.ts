import type { KeyInfo } from '../keys/key-info.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { CommandError } from './output.ts'

const LENGTH = 32
const MIN_PREFIX = 6

/** The key that an id or its unique beginning of at least six characters names. @throws CommandError */
export async function findKey(keys: KeyManager, text: string): Promise<KeyInfo> {
  const prefix = text.toLowerCase()
  if (!/^[0-9a-f]+$/.test(prefix) || prefix.length < MIN_PREFIX || prefix.length > LENGTH) {
    throw new CommandError(`a key id is ${LENGTH} hexadecimal characters, or the first ${MIN_PREFIX} or more of them`, {
      exitCode: 2,
    })
  }
  if (prefix.length === LENGTH) return keys.get(prefix)
  const after = idBefore(prefix)
  const page = await keys.list({ limit: 2, ...(after === undefined ? {} : { after }) })
  const [found, another] = page.filter(({ id }) => id.startsWith(prefix))
  if (found === undefined) throw new CommandError(`no key begins with ${prefix}`)
  if (another !== undefined) throw new CommandError(`more than one key begins with ${prefix}: write more of its id`)
  return found
}

/** The last id in order that does not begin with the prefix, if there is one. */
function idBefore(prefix: string): string | undefined {
  const first = BigInt(`0x${prefix.padEnd(LENGTH, '0')}`)
  return first === 0n ? undefined : (first - 1n).toString(16).padStart(LENGTH, '0')
}
