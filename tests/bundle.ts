import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'tsup'

/** Builds a TypeScript program into one file that plain Node starts at once, for tests with many processes. */
export async function bundle(entry: string): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'strongroom-bundle-'))
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
  return join(outDir, 'program.mjs')
}
