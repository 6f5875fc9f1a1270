import { rawAes } from '../../providers/raw/index.ts'
import type { KmsProvider } from '../../src/kms.ts'

export const testKms = (name: string): KmsProvider =>
  rawAes({ namespace: 'tests', name, key: new Uint8Array(32).fill(4) })
