import { rawAes } from '../../providers/raw/index.ts'
import { openFile, sealFile } from '../../src/messages/file.ts'
import { rewrapFile } from '../../src/messages/rewrap-file.ts'

// Does one thing to files again and again until it is killed. Says so on stdout each time it starts.
const [work, from = '', to = ''] = process.argv.slice(2)
const kms = rawAes({ namespace: 'tests', name: 'crash', key: new Uint8Array(32).fill(4) })
const others = ['one', 'two'].map((name) => rawAes({ namespace: 'tests', name, key: new Uint8Array(32).fill(5) }))
const options = { force: true, frameLength: 1024 }
for (;;) {
  process.stdout.write('.')
  if (work === 'seal') await sealFile(kms, from, to, options)
  else if (work === 'open') await openFile(kms, from, to, options)
  else if (work === 'detached') for (const to of others) await rewrapFile(kms, from, { to, detached: true })
  else await rewrapFile(kms, from, { to: kms })
}
