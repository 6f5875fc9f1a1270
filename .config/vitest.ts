import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, new URL('..', import.meta.url)))

export default defineConfig({
  root: here('.'),
  resolve: {
    alias: [
      { find: /^strongroom$/, replacement: here('./src/index.ts') },
      { find: /^strongroom\/(.+)$/, replacement: `${here('./providers')}/$1` },
    ],
    extensions: ['.ts', '.js', '.json'],
  },
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000, // a server starts in one second, and in twenty where the machine is busy
    // Most of a test's time is waiting, so that one worker a core is not too many.
    maxWorkers: '100%',
    // Its own tsconfig: the type checker reads what the type tests import, and not the whole project once more.
    typecheck: { enabled: true, include: ['tests/types/**/*.test-d.ts'], tsconfig: 'tests/types/tsconfig.json' },
    coverage: {
      provider: 'v8',
      // Continuous integration measures what the ordinary tests cover in the one run that it makes of them.
      enabled: process.env.STRONGROOM_COVERAGE === '1',
      include: ['src/**', 'providers/**'],
      reporter: process.env.STRONGROOM_COVERAGE === '1' ? ['text-summary'] : ['text', 'html'],
    },
  },
})
