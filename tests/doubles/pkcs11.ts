import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Pkcs11Module } from '../../providers/pkcs11/index.ts'

/** The file that a worker thread loads in place of pkcs11js. */
export const DOUBLE_FILE: string = fileURLToPath(new URL('./pkcs11.cjs', import.meta.url))

/** What the double is told of a key. */
export interface HsmKey {
  readonly kind: 'public key' | 'private key' | 'secret key'
  readonly label: string
  readonly id: string
  readonly secret?: string
  readonly pem?: string
}

/** The double in this thread, with what an operator or an accident does to it. */
export interface HsmDouble extends Pkcs11Module {
  removed: boolean
  initialized: boolean
  wrongPins: number
  readonly faults: string[]
  readonly sessions: ReadonlyMap<string, unknown>
  readonly counts: { logins: number; operations: number; most: number }
  lose(): void
  load(library: string): void
}

/** A token with an AES key `a` (id 0a), another `b` (0b) and an RSA pair `r` (0c), as `load` takes it. */
export function tokenJson(keys: readonly HsmKey[] = []): string {
  const aes = (label: string, id: string): HsmKey => ({
    kind: 'secret key',
    label,
    id,
    secret: randomBytes(32).toString('hex'),
  })
  return JSON.stringify({ label: 'room', pin: '1234', keys: [aes('a', '0a'), aes('b', '0b'), ...rsaPair(), ...keys] })
}

export function hsmDouble(library: string = tokenJson()): HsmDouble {
  const { PKCS11 } = createRequire(import.meta.url)(DOUBLE_FILE) as { PKCS11: new () => HsmDouble }
  const hsm = new PKCS11()
  hsm.load(library)
  return hsm
}

let pair: HsmKey[] | undefined
function rsaPair(): HsmKey[] {
  if (pair) return pair
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  pair = [
    { kind: 'public key', label: 'r', id: '0c', pem: publicKey },
    { kind: 'private key', label: 'r', id: '0c', pem: privateKey },
  ]
  return pair
}
