import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type Options } from 'tsup'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** Every file or folder in providers/ is one entry and one subpath export. */
const providers = Object.fromEntries(
  readdirSync('providers', { withFileTypes: true }).map((entry) =>
    entry.isDirectory()
      ? [entry.name, `providers/${entry.name}/index.ts`]
      : [entry.name.replace(/\.ts$/, ''), `providers/${entry.name}`],
  ),
)
const library = { index: 'src/index.ts', ...providers }

const shared = { format: 'esm', target: 'node20', platform: 'node', clean: false } as const

/** The terminal libraries are bundled by themselves; the rest of the command line shares its files with the library. */
const keepVendorApart: Plugin = {
  name: 'keep-vendor-apart',
  setup(build) {
    build.onResolve({ filter: /^\.\/vendor\.ts$/ }, () => ({ path: './cli-vendor.js', external: true }))
  },
}

/** Writes the licence of every bundled package beside the bundle, as those licences ask. */
const collectNotices: Plugin = {
  name: 'collect-notices',
  setup(build) {
    const folders = new Set<string>()
    build.onLoad({ filter: /node_modules/ }, ({ path }) => {
      folders.add(/^.*node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(path)?.[0] as string)
      return undefined
    })
    build.onEnd(() => {
      const notices = [...folders].map((folder) => {
        const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
        const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
        if (file === undefined) throw new Error(`${name} has no licence file`)
        return `## ${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
      })
      const text = ['# Packages bundled into the command line (cli-vendor.js)\n', ...notices.sort()].join('\n')
      mkdirSync('dist', { recursive: true })
      writeFileSync('dist/THIRD-PARTY-NOTICES.md', text)
    })
  },
}

export default defineConfig([
  {
    ...shared,
    entry: { ...library, cli: 'src/cli/main.ts', 'frame-worker': 'src/messages/frame-worker.ts' },
    dts: { entry: library },
    splitting: true,
    esbuildPlugins: [keepVendorApart],
  },
  {
    ...shared,
    entry: { 'cli-vendor': 'src/cli/vendor.ts' },
    noExternal: [/.*/],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    esbuildPlugins: [collectNotices],
  },
])
