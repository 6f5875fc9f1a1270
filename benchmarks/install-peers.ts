import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PEERS_FOLDER } from './peers.ts'

/**
 * Installs the libraries of others into their own folder, once. Those that need a compiler or a download that is not
 * there are left out, and the table says so.
 *
 * @returns whether they are there
 */
export function installPeers(): boolean {
  if (existsSync(join(PEERS_FOLDER, 'node_modules'))) return true
  console.error('installing the libraries to compare with into benchmarks/peers (once) …')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: PEERS_FOLDER,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status === 0) return true
  console.error('could not install them: measuring without (npm ci in benchmarks/peers says why)')
  return false
}
