import { symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { bundle } from '../../bundle.ts'

/** Bundles a program of this folder, beside the packages that it imports. */
export async function bundleProgram(name: string): Promise<string> {
  const script = await bundle(`tests/providers/sql/${name}.ts`)
  symlinkSync(resolve('node_modules'), join(dirname(script), 'node_modules'))
  return script
}
