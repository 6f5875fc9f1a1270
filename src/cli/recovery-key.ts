import { readFile } from 'node:fs/promises'
import { equalBytes, wipe } from '../bytes.ts'
import type { StrongroomConfig } from '../config.ts'
import { publicOf, recoverySetId } from '../crypto/recovery-key.ts'
import type { KmsProvider } from '../kms.ts'
import { askSecret } from './ask-secret.ts'
import { CommandError, type Output } from './output.ts'
import { combineShares, parseShares, type RecoveryShare } from './recovery-share.ts'

const MAX_BYTES = 65_536

/**
 * Puts the recovery key together from files, from stdin, or from what is typed, and opens the recovery provider of a
 * configuration with it for as long as `work` takes.
 *
 * @param files of one share or several each; `-` is stdin
 * @throws CommandError when the shares are not right, or are of a key that the configuration does not have
 */
export async function withRecoveryKey<Result>(
  config: StrongroomConfig,
  files: readonly string[],
  output: Output,
  work: (opened: KmsProvider, provider: KmsProvider) => Promise<Result>,
): Promise<Result> {
  const candidates = providersOf(config).filter(({ recovery }) => recovery !== undefined)
  if (candidates.length === 0) {
    throw new CommandError('kms has no recovery key', {
      hint: "add recoveryKms({ publicKey: 'sr_rp1_…' }), as `strongroom recovery create` printed it",
    })
  }
  const shares = files.length > 0 ? await readShares(files, output) : await askShares(output)
  const privateKey = await combineShares(shares).finally(() => wipe(...shares.map(({ data }) => data)))
  try {
    const publicKey = publicOf(privateKey)
    const provider = candidates.find(
      ({ recovery }) => recovery !== undefined && equalBytes(recovery.publicKey, publicKey),
    )
    if (provider?.recovery === undefined) {
      throw new CommandError(`these are shares of recovery key ${recoverySetId(publicKey)}, which is not in kms`)
    }
    const opened = provider.recovery.open(privateKey)
    try {
      return await work(opened, provider)
    } finally {
      await opened.close?.()
    }
  } finally {
    wipe(privateKey)
  }
}

/** The services of a configuration. */
export function providersOf({ kms }: StrongroomConfig): readonly KmsProvider[] {
  return 'wrap' in kms ? [kms] : kms
}

async function readShares(files: readonly string[], { stdin }: Output): Promise<RecoveryShare[]> {
  const shares: RecoveryShare[] = []
  for (const file of files) {
    const text =
      file === '-'
        ? await readAll(stdin)
        : await readFile(file, 'utf8').catch((cause) => {
            throw new CommandError(`cannot read ${file}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}`, {
              cause,
            })
          })
    if (text.length > MAX_BYTES) throw new CommandError(`${file} is too large for shares`)
    shares.push(...parseShares(text, file))
  }
  return shares
}

async function readAll(stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
    if (text.length > MAX_BYTES) break
  }
  return text
}

/** Shares are typed without being shown, until there are enough. */
async function askShares(output: Output): Promise<RecoveryShare[]> {
  if (output.stdin.isTTY !== true) {
    throw new CommandError('no shares were given', { exitCode: 2, hint: 'name their files, or - for stdin' })
  }
  const shares: RecoveryShare[] = []
  do {
    const typed = await askSecret(output, `share ${shares.length + 1}${shares[0] ? ` of ${shares[0].threshold}` : ''}`)
    shares.push(...parseShares(typed.replaceAll(/\s/g, ''), 'what was typed'))
  } while (shares.length < (shares[0] as RecoveryShare).threshold)
  return shares
}
