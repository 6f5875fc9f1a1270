import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, type Format } from 'tsup'

/** `strongroom/web` as a browser loads it: one file, built as the package builds it. */
export async function bundleForBrowser(format: Format): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'strongroom-web-'))
  try {
    await build({
      entry: { web: 'providers/web/index.ts' },
      outDir,
      format,
      globalName: 'strongroom',
      target: 'es2022',
      platform: 'browser',
      splitting: false,
      config: false,
      silent: true,
      dts: false,
      clean: false,
      outExtension: () => ({ js: '.js' }),
    })
    return readFileSync(join(outDir, 'web.js'), 'utf8')
  } finally {
    await rm(outDir, { recursive: true, force: true })
  }
}
