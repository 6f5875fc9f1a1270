/** How the generated configuration gets the passphrase of the key file. */
export type PassphraseSource =
  | { readonly kind: 'none' }
  | { readonly kind: 'asked' }
  | { readonly kind: 'file'; readonly path: string }

/** The text of a first `strongroom.config.ts`, which runs as it stands. */
export function configTemplate({ name, passphrase }: { name: string; passphrase: PassphraseSource }): string {
  const locked = passphrase.kind !== 'none'
  return `${locked ? "import { readFile } from 'node:fs/promises'\n" : ''}import { fileURLToPath } from 'node:url'
import { defineRecord, defineStrongroom, text } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { sodiumKms } from 'strongroom/sodium'

// Read by your application and by the \`strongroom\` command alike.

/** What is encrypted: one record for each table. This one is an example; write your own. */
export const customers = defineRecord(
  'customers',
  {
    // Found by an exact match through the column email_index. \`rows\` is how many you expect: it decides how much
    // the index gives away.
    email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
    notes: text({ nullable: true }),
  },
  // Every value is bound to its row: moved to another row it does not decrypt. Add \`tenant: 'column'\` to keep the
  // data of each tenant under keys of its own.
  { id: 'id' },
)

export default defineStrongroom({
  // Part of everything that is encrypted. Never change it once there is data.
  name: '${name}',

  // The key that wraps all other keys. For production, a cloud KMS or an HSM takes its place in one line, for example
  // awsKms({ keyId: 'alias/${name}' }) from 'strongroom/aws'; \`room.keys.rewrap()\` then moves the keys there.
  kms: sodiumKms({ path: beside('strongroom.key')${locked ? ', passphrase' : ''} }),

  // The wrapped keys. Several machines share them in a database, for example postgresKeyStore from 'strongroom/postgres'.
  store: fileKeyStore({ path: beside('strongroom.keystore') }),

  records: { customers },
})

function beside(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
${locked ? passphraseFunction(passphrase) : ''}`
}

function passphraseFunction(source: PassphraseSource): string {
  const fallback = source.kind === 'file' ? ` ?? ${JSON.stringify(source.path)}` : ''
  const missing =
    source.kind === 'file'
      ? ''
      : "\n  if (file === undefined)\n    throw new Error('set STRONGROOM_PASSPHRASE, or STRONGROOM_PASSPHRASE_FILE to a file that holds it')"
  return `
/** Opens the key file: from STRONGROOM_PASSPHRASE, or from the file that STRONGROOM_PASSPHRASE_FILE names. */
async function passphrase(): Promise<string> {
  const { STRONGROOM_PASSPHRASE: words, STRONGROOM_PASSPHRASE_FILE: named } = process.env
  if (words !== undefined) return words
  const file = named${fallback}${missing}
  return (await readFile(file, 'utf8')).replace(/\\r?\\n$/, '')
}
`
}
