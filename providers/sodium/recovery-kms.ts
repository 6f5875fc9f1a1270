import { assertObject, describe } from '../../src/bytes.ts'
import { parseRecoveryKeyText } from '../../src/crypto/recovery-key.ts'
import { InvalidInputError } from '../../src/errors.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { sealedBox } from './sealed-box-kms.ts'

/** The recovery key that root keys are wrapped for. */
export interface RecoveryKmsOptions {
  /** `sr_rp1_…`, as `strongroom recovery create` printed it. */
  readonly publicKey: string
}

const NAME = 'recovery'

/**
 * Wraps every root key for a recovery key whose private half is in shares and in no machine, beside the services in
 * `kms`: when all of those are lost, `strongroom recovery restore` opens the root keys with the shares.
 *
 * It cannot unwrap, is never asked to, and takes no part in sealed messages.
 *
 * @throws InvalidInputError when the key is not of its form
 */
export function recoveryKms(options: RecoveryKmsOptions): KmsProvider {
  assertObject(options, 'the options')
  const { publicKey: text } = options
  const publicKey = typeof text === 'string' ? parseRecoveryKeyText(text) : undefined
  if (publicKey === undefined) {
    const received = typeof text === 'string' ? 'another text' : describe(text)
    throw new InvalidInputError(`publicKey must be what \`strongroom recovery create\` printed, received ${received}`)
  }
  const open = (privateKey: Uint8Array) => sealedBox({ publicKey, privateKey }, NAME)
  return { ...sealedBox({ publicKey }, NAME), recovery: { publicKey, open } }
}
