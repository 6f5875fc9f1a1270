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
/** Built by itself: what browsers load is one file that imports nothing. */
const { web, ...forNode } = providers
const library = { index: 'src/index.ts', ...forNode }

const shared = { format: 'esm', target: 'node20', platform: 'node', clean: false } as const

/** The terminal libraries are bundled by themselves; the rest of the command line shares its files with the library. */
const keepVendorApart: Plugin = {
  name: 'keep-vendor-apart',
  setup(build) {
    build.onResolve({ filter: /^\.\/vendor\.ts$/ }, () => ({ path: './cli-vendor.js', external: true }))
  },
}

/** Writes the licence of every bundled package beside the bundle, as those licences ask. */
const collectNotices = (file: string, where: string): Plugin => ({
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
      const text = [`# Packages bundled into ${where}\n`, ...notices.sort()].join('\n')
      mkdirSync('dist', { recursive: true })
      writeFileSync(`dist/${file}`, text)
    })
  },
})

export default defineConfig([
  {
    ...shared,
    entry: { ...library, cli: 'src/cli/main.ts', 'frame-worker': 'src/messages/frame-worker.ts' },
    dts: { entry: library },
    splitting: true,
    // Its 28 CommonJS files take two thirds of the time of `import 'strongroom'`; of its modules a few are needed.
    noExternal: ['cockatiel'],
    esbuildOptions: (options) => {
      options.mainFields = ['module', 'main']
    },
    esbuildPlugins: [keepVendorApart, collectNotices('LIBRARY-NOTICES.md', 'the library')],
  },
  {
    ...shared,
    entry: { web: web as string },
    dts: { entry: { web: web as string } },
    target: 'es2022',
    platform: 'browser',
    splitting: false,
  },
  {
    ...shared,
    entry: { 'cli-vendor': 'src/cli/vendor.ts' },
    noExternal: [/.*/],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    esbuildPlugins: [collectNotices('THIRD-PARTY-NOTICES.md', 'the command line (cli-vendor.js)')],
  },
])
