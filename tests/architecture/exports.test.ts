import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
const providers = readdirSync(new URL('providers', root)).map((entry) => entry.replace(/\.ts$/, ''))

describe('the package', () => {
  test('exports every provider, each under its own name, and nothing else', () => {
    const expected = Object.fromEntries(
      providers.map((name) => [`./${name}`, { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }]),
    )
    const { '.': _main, './package.json': _manifest, ...subpaths } = exports
    expect(subpaths).toEqual(expected)
  })

  test('has a folder with an index, or one file, for every provider', () => {
    for (const entry of readdirSync(new URL('providers', root), { withFileTypes: true })) {
      if (entry.isFile()) expect(entry.name).toMatch(/^[a-z0-9-]+\.ts$/)
      else expect(readdirSync(new URL(`providers/${entry.name}`, root)), entry.name).toContain('index.ts')
    }
  })
})

describe('the command line', () => {
  test('imports the bundled terminal libraries through vendor.ts alone', () => {
    const bundled = /from '(commander|cli-progress|cli-table3|picocolors|qrcode|shamir-secret-sharing)'/
    const files = readdirSync(new URL('src/cli', root), { recursive: true, encoding: 'utf8' })
    const importing = files
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => bundled.test(readFileSync(new URL(`src/cli/${file}`, root), 'utf8')))
    expect(importing).toEqual(['vendor.ts'])
  })
})
