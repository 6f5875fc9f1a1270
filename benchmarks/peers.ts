import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the libraries of others are installed. */
export const PEERS_FOLDER: string = fileURLToPath(new URL('./peers', import.meta.url))

const requirePeer = createRequire(join(PEERS_FOLDER, 'package.json'))

/** A library from the peers folder; undefined when it could not be installed there. */
// biome-ignore lint/suspicious/noExplicitAny: these libraries have no types here, and nothing but benchmarks uses them
export function loadPeer(name: string): any {
  try {
    return requirePeer(name)
  } catch {
    return undefined
  }
}
