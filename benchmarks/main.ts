import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { installPeers } from './install-peers.ts'
import { isMet, type Result } from './result.ts'
import { suites } from './suites.ts'
import { formatTable } from './table.ts'

const USAGE = `npm run bench -- [suite …] [--quick] [--large] [--no-peers] [--json]

suites: ${Object.keys(suites).join(' ')} (all by default)
`

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    quick: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: true },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const unknown = positionals.find((name) => !Object.hasOwn(suites, name))
if (flags.help || unknown !== undefined) {
  console.error(unknown === undefined ? USAGE : `there is no suite ${JSON.stringify(unknown)}\n\n${USAGE}`)
  process.exit(unknown === undefined ? 0 : 2)
}

const names = positionals.length === 0 ? Object.keys(suites) : positionals
const options = { quick: flags.quick, large: flags.large, peers: flags.peers && installPeers() }
const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, OpenSSL ${process.versions.openssl}`
const at = new Date().toISOString().slice(0, 10)
const all: Result[] = []
if (!flags.json) console.log(`${at}, ${machine}\n`)
for (const name of names) {
  const results = await (suites[name] as (typeof suites)[string])(options)
  all.push(...results)
  if (!flags.json) console.log(`${formatTable(results)}\n`)
}
if (flags.json) console.log(JSON.stringify({ at, machine, results: all }, null, 2))
else {
  const missed = all.filter((result) => isMet(result) === false).length
  const held = all.filter((result) => isMet(result) === true).length
  console.log(`${held} targets hold, ${missed} are missed${flags.quick ? ' (--quick measures nothing well)' : ''}`)
}
