import ordinary from './vitest.ts'

/** The tests that talk to servers and devices which npm does not have: see tests/components/README.md. */
export default {
  ...ordinary,
  test: {
    ...ordinary.test,
    include: ['tests/**/*.component.test.ts'],
    exclude: ['**/node_modules/**'],
    // So that its import of better-sqlite3 is answered as those of the tests are.
    server: { deps: { inline: [/drizzle-orm\/better-sqlite3/] } },
    isolate: true, // a vendor's engine in a process of its own, as it is in an application
  },
}
