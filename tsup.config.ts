import { readdirSync } from 'node:fs'
import { defineConfig } from 'tsup'

/** Every file or folder in providers/ is one entry and one subpath export. */
const providers = Object.fromEntries(
  readdirSync('providers', { withFileTypes: true }).map((entry) =>
    entry.isDirectory()
      ? [entry.name, `providers/${entry.name}/index.ts`]
      : [entry.name.replace(/\.ts$/, ''), `providers/${entry.name}`],
  ),
)

const shared = { format: 'esm', target: 'node20', platform: 'node', clean: false } as const

export default defineConfig([{ ...shared, entry: { index: 'src/index.ts', ...providers }, dts: true, splitting: true }])
