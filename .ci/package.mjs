// Packs the package, installs it in an empty project, and walks the README there as a new user would.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

// An adapter builds on the classes of its object mapper, and is of no use without it.
const MAPPERS = {
  drizzle: 'drizzle-orm@0.45.4',
  kysely: 'kysely@0.28.18',
  sequelize: 'sequelize@6.37.8',
  typeorm: 'typeorm@1.1.1',
}

const folder = mkdtempSync(join(tmpdir(), 'strongroom-package-'))
const run = (command, args, cwd = folder) => execFileSync(command, args, { cwd, encoding: 'utf8' })

try {
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', folder], process.cwd()).replace(/^[^[]*/, ''),
  )
  console.log(`packed size: ${kib(packed.size)}, unpacked ${kib(packed.unpackedSize)}, ${packed.files.length} files`)

  const readme = readFileSync('README.md', 'utf8')
  const commands = /```sh\n(npm pkg set[\s\S]*?)```/.exec(readme)?.[1]?.trim().split('\n') ?? []
  if (!commands.includes('npm install strongroom')) throw new Error('README.md lacks its first commands')
  run('npm', ['init', '-y'])
  for (const command of commands) {
    const [program, ...args] = command
      .replace('install strongroom', `install ${join(folder, packed.filename)}`)
      .split(' ')
    // There is no terminal here to ask for a passphrase on.
    if (args[0] === 'strongroom') args.push('--no-passphrase')
    run(program, args)
    console.log(`$ ${command}`)
    if (command.endsWith(' strongroom')) console.log(`install footprint: ${footprint()}`)
  }
  const program = /```ts\n(import \{ openStrongroom \}[\s\S]*?)```/.exec(readme)?.[1]
  if (program === undefined) throw new Error('README.md lacks its first program')
  writeFileSync(join(folder, 'app.ts'), program)
  const shown = run('npx', ['tsx', 'app.ts'])
  for (const expected of [/sr1_-/, /Ada@Example\.com/, /'01[0-9a-f]+'/]) {
    if (!expected.test(shown)) throw new Error(`the first program did not print ${expected}:\n${shown}`)
  }
  console.log('the first program of README.md runs as it stands')
  console.log(run('npx', ['strongroom', 'doctor']).trim())

  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
  const installed = join(folder, 'node_modules', 'strongroom')
  const adapters = Object.keys(exports).filter((subpath) => subpath.slice(2) in MAPPERS)
  for (const [subpath, target] of Object.entries(exports)) {
    if (typeof target === 'string' || adapters.includes(subpath)) continue
    await import(pathToFileURL(join(installed, target.default)).href)
    console.log(`imports without any optional package: strongroom${subpath.slice(1)}`)
  }
  run('npm', ['install', ...Object.values(MAPPERS)])
  for (const subpath of adapters) {
    run('node', ['--input-type=module', '--eval', `await import('strongroom${subpath.slice(1)}')`])
    console.log(`imports beside its mapper: strongroom${subpath.slice(1)}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function footprint() {
  const tree = JSON.parse(run('npm', ['ls', '--all', '--json', '--omit=peer']))
  return `${kib(sizeOf(join(folder, 'node_modules')))}, ${count(tree)} packages`
}

function kib(bytes) {
  return `${Math.round(bytes / 1024).toLocaleString('en')} KiB`
}

function sizeOf(path) {
  if (!statSync(path).isDirectory()) return statSync(path).size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}

function count(tree) {
  return Object.values(tree.dependencies ?? {}).reduce((sum, child) => sum + 1 + count(child), 0)
}
