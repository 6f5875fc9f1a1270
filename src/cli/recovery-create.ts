import { chmod, mkdir, readdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { wipe } from '../bytes.ts'
import { createRecoveryKey, recoveryKeyText, recoverySetId } from '../crypto/recovery-key.ts'
import { decimal } from './decimal.ts'
import { CommandError, type Output } from './output.ts'
import { encodeShare, MAX_SHARES, type RecoveryShare, splitKey } from './recovery-share.ts'
import { type Command, InvalidArgumentError, QRCode } from './vendor.ts'

interface CreateOptions {
  readonly shares: number
  readonly threshold: number
  readonly out: string
  readonly json?: true
}

/** `strongroom recovery create`: a recovery key, whose private half is only ever in shares. */
export function addRecoveryCreate(parent: Command, output: Output): void {
  parent
    .command('create')
    .description(
      'Make a recovery key, and write its shares as text and as QR codes. Reads and changes no configuration.',
    )
    .requiredOption('--out <folder>', 'where to write the shares: an empty folder, or one to be made')
    .option('--shares <count>', `how many, 2 to ${MAX_SHARES}`, count, 5)
    .option('--threshold <count>', 'how many of them open it', count, 3)
    .option('--json', 'print the public key for programs')
    .action(async (options: CreateOptions) => {
      const { shares, threshold, out } = options
      if (threshold > shares) throw new CommandError('--threshold must not be more than --shares', { exitCode: 2 })
      await mkdir(out, { recursive: true, mode: 0o700 })
      await chmod(out, 0o700)
      if ((await readdir(out)).length > 0) throw new CommandError(`${out} is not empty`, { exitCode: 2 })
      const { privateKey, publicKey } = createRecoveryKey()
      const made = await splitKey(privateKey, shares, threshold).finally(() => wipe(privateKey))
      try {
        await writeShares(out, made)
      } finally {
        wipe(...made.map(({ data }) => data))
      }
      const text = recoveryKeyText(publicKey)
      const set = recoverySetId(publicKey)
      if (options.json) output.json({ publicKey: text, set, shares, threshold })
      else output.result(`recoveryKms({ publicKey: '${text}' })`)
      output.say(`${shares} shares of recovery key ${set} are in ${out}; any ${threshold} open it`)
      output.hint(
        'give each to somebody else, and delete the folder: whoever has enough of them can open every root key',
      )
      output.hint(
        "add the line above to `kms`, import recoveryKms from 'strongroom/sodium', and run `strongroom rewrap`",
      )
      output.hint('then prove the shares: `strongroom recovery rehearse SHARE...`')
    })
}

async function writeShares(folder: string, shares: readonly RecoveryShare[]): Promise<void> {
  const written: string[] = []
  try {
    for (const share of shares) {
      const text = encodeShare(share)
      const path = join(folder, `share-${share.index}`)
      for (const [file, content] of [
        [`${path}.txt`, paper(share, text)],
        [`${path}.png`, await QRCode.toBuffer(text, { errorCorrectionLevel: 'Q', scale: 8 })],
      ] as const) {
        written.push(file)
        await writeFile(file, content, { flag: 'wx', mode: 0o600 })
      }
    }
  } catch (error) {
    // Some shares without the others are of no use to anybody but a thief.
    await Promise.allSettled(written.map((file) => unlink(file)))
    throw error
  }
}

function paper({ set, threshold, shares, index }: RecoveryShare, text: string): string {
  return `Strongroom recovery share ${index} of ${shares}
Recovery key ${set}. Any ${threshold} of the ${shares} shares open every root key that was wrapped for it.
Keep it where the others are not. It never has to be typed but to rehearse or to restore.

${text}
`
}

function count(text: string): number {
  const value = decimal(text)
  if (Number.isInteger(value) && value >= 2 && value <= MAX_SHARES) return value
  throw new InvalidArgumentError(`a whole number from 2 to ${MAX_SHARES}`)
}
