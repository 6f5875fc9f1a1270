import { afterAll, beforeAll, expect, test } from 'vitest'
import { azureKeyVault } from '../../providers/azure/index.ts'
import { memoryKeyStore } from '../../providers/testing/index.ts'
import { vaultTransit } from '../../providers/vault/index.ts'
import { doctor } from '../../src/doctor/doctor.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { AzureDouble } from '../doubles/azure.ts'
import { VaultDouble } from '../doubles/vault.ts'

let vault: VaultDouble
let azure: AzureDouble
beforeAll(async () => {
  vault = await new VaultDouble().listen()
  azure = await new AzureDouble().listen()
})
afterAll(async () => {
  await vault.close()
  await azure.close()
})

/** What the doctor says about the KMS alone: the store is empty. */
async function aboutKms(kms: KmsProvider): Promise<string[]> {
  const { findings } = await doctor({ name: 'billing', kms, store: memoryKeyStore() })
  const mine = findings.filter(({ check }) => check.startsWith('kms.'))
  return mine.map(({ check, status, message }) => `${check} ${status}: ${message}`)
}

test('Vault: the path and the capability that the policy lacks', async () => {
  vault.createKey('billing')
  const token = vault.createToken({ 'transit/encrypt/billing': ['update'] })
  const said = await aboutKms(vaultTransit({ address: vault.address, key: 'billing', auth: { token } }))
  expect(said[0]).toMatch(/^kms\.wrap ok: wrapped a key under transit\/keys\/billing\/versions\/1/)
  expect(said[1]).toMatch(/^kms\.unwrap problem: .*path "transit\/decrypt\/billing" { capabilities = \["update"\] }/)
})

test('Azure: the action that the role lacks, and the key', async () => {
  azure.addVersion('root')
  azure.permissions.delete('unwrapKey')
  const clientOptions = { disableChallengeResourceVerification: true, tlsOptions: { ca: azure.certificate.cert } }
  const kms = azureKeyVault({ keyId: `${azure.url}/keys/root`, credential: azure.credential(), clientOptions })
  const said = await aboutKms(kms)
  expect(said[1]).toMatch(/^kms\.unwrap problem: .*Microsoft\.KeyVault\/vaults\/keys\/unwrap\/action .*\/keys\/root$/)
})

test('a key that an operator disabled or removed says so', async () => {
  const key = vault.createKey('other')
  const kms = vaultTransit({ address: vault.address, key: 'other', auth: { token: vault.createToken('*') } })
  key.softDeleted = true
  expect((await aboutKms(kms))[0]).toBe('kms.wrap problem: vault-transit: the key is soft-deleted')
})
