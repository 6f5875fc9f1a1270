import type { KeyClient } from '@azure/keyvault-keys'
import { expectTypeOf, test } from 'vitest'
import type { AzureKeyClient, AzureKeyVaultOptions } from '../../providers/azure/index.ts'
import type { Pkcs11HsmOptions } from '../../providers/pkcs11/index.ts'
import { type VaultFetch, type VaultTransitOptions, vaultTransit } from '../../providers/vault/index.ts'
import type { KmsProvider } from '../../src/kms.ts'

test('the vendors clients fit the structural types', () => {
  expectTypeOf<KeyClient>().toExtend<AzureKeyClient>()
  expectTypeOf<typeof fetch>().toExtend<VaultFetch>()
})

test('a factory makes a KmsProvider and nothing wider', () => {
  expectTypeOf(vaultTransit).returns.toEqualTypeOf<KmsProvider>()
  expectTypeOf<VaultTransitOptions['auth']>().not.toBeAny()
})

test('options that cannot work do not compile', () => {
  // @ts-expect-error no way to be let in
  const noAuth: VaultTransitOptions = { address: 'https://vault.example.com', key: 'billing' }
  // @ts-expect-error a binding that Vault does not have
  const binding: VaultTransitOptions['binding'] = 'none'
  // @ts-expect-error PKCS#1 v1.5 is not offered
  const algorithm: AzureKeyVaultOptions['algorithm'] = 'RSA1_5'
  // @ts-expect-error a key is named by label or id
  const key: Pkcs11HsmOptions['key'] = { name: 'root' }
  // @ts-expect-error MD5 is not offered
  const hash: Pkcs11HsmOptions['hash'] = 'md5'
  expectTypeOf([noAuth, binding, algorithm, key, hash]).not.toBeAny()
})
