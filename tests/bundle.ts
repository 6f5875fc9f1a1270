import { mkdtempSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'tsup'

/** Builds a TypeScript program into one file that plain Node starts at once, for tests with many processes. */
export async function bundle(entry: string): Promise<string> {
  // Beside the packages, so that it finds them.
  const outDir = mkdtempSync(join('node_modules', '.bundle-'))
  await build({
    entry: { program: entry },
    outDir,
    format: 'esm',
    target: 'node20',
    config: false,
    silent: true,
    dts: false,
    clean: false,
    outExtension: () => ({ js: '.mjs' }),
  })
  return resolve(outDir, 'program.mjs')
}
