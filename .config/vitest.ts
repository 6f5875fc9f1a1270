import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './longest-first.ts'

const here = (path: string) => fileURLToPath(new URL(path, new URL('..', import.meta.url)))

export default defineConfig({
  root: here('.'),
  resolve: {
    alias: [
      { find: /^strongroom$/, replacement: here('./src/index.ts') },
      { find: /^strongroom\/(.+)$/, replacement: `${here('./providers')}/$1` },
      // Compiled in a folder of its own, and found there as if it were installed beside the package.
      {
        find: /^better-sqlite3$/,
        replacement: here('./tests/components/sqlite/node_modules/better-sqlite3/lib/index.js'),
      },
    ],
    extensions: ['.ts', '.js', '.json'],
  },
  test: {
    include: ['tests/**/*.test.ts'],
    // Those are for `npm run test:components`: this run needs npm alone, and takes the same time wherever it is made.
    exclude: ['**/node_modules/**', 'tests/**/*.component.test.ts'],
    sequence: { sequencer: LongestFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000, // a server starts in one second, and in twenty where the machine is busy
    globalSetup: 'tests/fixtures/postgres-setup.ts',
    // A worker reads what the tests import once, and not for each of 130 files: a test leaves nothing behind in a module,
    // in `process` or in `globalThis`.
    isolate: false,
    // A third of a test's time is waiting, for processes and for timers: three workers keep two cores busy.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    // Test files make garbage faster than programs do: with room for it a run takes a tenth less.
    execArgv: ['--max-semi-space-size=64'],
    coverage: {
      provider: 'v8',
      // Continuous integration measures what the ordinary tests cover in the one run that it makes of them.
      enabled: process.env.STRONGROOM_COVERAGE === '1',
      include: ['src/**', 'providers/**'],
      reporter: process.env.STRONGROOM_COVERAGE === '1' ? ['text-summary'] : ['text', 'html'],
    },
  },
})
