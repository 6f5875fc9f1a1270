import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadPeer, PEERS_FOLDER } from './peers.ts'

/** Where a distribution puts the library that mongodb-client-encryption is built against. */
const LIBMONGOCRYPT = '/usr/include/mongocrypt/mongocrypt.h'

/**
 * Installs the libraries of others into their own folder, once. Those that need a compiler or a download that is not
 * there are left out, and the table says so. mongodb-client-encryption fetches a prebuilt binary; where a distribution's
 * libmongocrypt is installed it is built against that instead.
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
    env: existsSync(LIBMONGOCRYPT) ? { ...process.env, BUILD_TYPE: 'dynamic', CXXFLAGS: '-fpermissive' } : process.env,
  })
  if (status === 0) {
    if (loadPeer('mongodb-client-encryption') === undefined) console.error(WITHOUT_MONGODB)
    return true
  }
  console.error('could not install them: measuring without (npm ci in benchmarks/peers says why)')
  return false
}

const WITHOUT_MONGODB = `mongodb-client-encryption is left out: its prebuilt binary could not be fetched. On Debian
\`apt-get install g++ make python3 libmongocrypt-dev\`, remove benchmarks/peers/node_modules, and run this again to build it.`
