import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { type Fence, fencesOf, type Page, projectRoot, readPage } from './markdown.ts'
import { STAND_INS } from './stand-ins.ts'

const run = promisify(execFile)
/** Ten times as fast as the one that is a program in JavaScript. */
const COMPILER = `${projectRoot}node_modules/typescript7/bin/tsc`

/** Blocks of one page that are one module: what a reader would put into one file. */
interface Module {
  /** From the root of the project. */
  readonly path: string
  readonly page: Page
  readonly fences: readonly Fence[]
  /** What earlier modules of the page export and this one uses. */
  readonly prelude: string
}

/** What `./strongroom.config.ts` is for a reader: what `strongroom init` writes, as docs/cli.md shows it. */
const CONFIG_PATH = 'docs/strongroom.config.ts'

/**
 * The `ts` blocks of a page as modules. A block that begins with an import starts a new module, every other block
 * continues the one before it; so does one marked `continued`. A module may use what an earlier one of its page exports.
 * A block marked `not-compiled` is left out.
 */
export function modulesOf(page: Page): Module[] {
  const groups: Fence[][] = []
  for (const fence of fencesOf(page)) {
    if (fence.language !== 'ts' || fence.marks.includes('not-compiled')) continue
    const continues = fence.marks.includes('continued') || !/^(\/\/.*\n|\n)*import\b/.test(fence.code)
    const last = groups.at(-1)
    if (continues && last !== undefined) last.push(fence)
    else groups.push([fence])
  }
  const base = page.path.replaceAll('/', '-').replace(/\.md$/, '')
  const exported = new Map<string, string>()
  return groups.map((fences, at) => {
    const name = `snippet-${base}-${at + 1}.ts`
    const code = fences.map((fence) => fence.code).join('')
    const used = [...exported].filter(([word]) => uses(code, word))
    const prelude = used.map(([word, module]) => `import { ${word} } from './${module}';`).join(' ')
    for (const [, word = ''] of code.matchAll(/^export (?:const|function|class|async function) (\w+)/gm)) {
      exported.set(word, name)
    }
    return { path: `docs/${name}`, page, fences, prelude }
  })
}

/** Whether code names something that it neither declares nor imports. */
function uses(code: string, word: string): boolean {
  const declared = `(?:const|let|function|class) ${word}\\b|(?:import|import type|const) \\{[^}]*\\b${word}\\b[^}]*\\}`
  return new RegExp(`\\b${word}\\b`).test(code) && !new RegExp(declared).test(code)
}

/**
 * Compiles the `ts` blocks of all pages, and files of the project, strictly, as one program: most of the time goes into
 * reading what they import. `npm run types` reads the files, and what both import, with the
 * TypeScript before, as part of the whole project.
 *
 * @param files paths from the root of the project
 * @returns one line for each error, with page or file and line
 */
export async function compileSnippets(pages: readonly Page[], files: readonly string[] = []): Promise<string[]> {
  const modules = pages.flatMap(modulesOf)
  const texts = new Map([...STAND_INS, ...modules.map((module) => [module.path, sourceOf(module)] as const)])
  const config = fencesOf(readPage('docs/cli.md')).find(({ code }) => code.includes('export default defineStrongroom('))
  if (config !== undefined) texts.set(CONFIG_PATH, config.code)
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'strongroom-snippets-'))
  try {
    const root = await realpath(projectRoot)
    await writeProgram(folder, root, texts, files)
    const names = new Map(modules.map(({ path, page }) => [`${folder}/${path}`, page.path]))
    for (const file of files) names.set(`${root}/${file}`, file)
    const found = (await compile(folder)).filter(({ path }) => names.has(path) || !path.startsWith(`${root}/`))
    return found.map(({ path, line, message }) => `${names.get(path) ?? path}:${line} ${message}`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A folder that sees the packages of the project, with its options, but that a snippet may declare what it does not use. */
async function writeProgram(
  folder: string,
  root: string,
  texts: ReadonlyMap<string, string>,
  files: readonly string[],
): Promise<void> {
  await symlink(`${root}/node_modules`, `${folder}/node_modules`)
  const options = { noUnusedLocals: false, noUnusedParameters: false, moduleDetection: 'force' }
  const config = {
    extends: `${root}/tsconfig.json`,
    compilerOptions: options,
    include: [],
    files: [...texts.keys(), ...files.map((file) => `${root}/${file}`)],
  }
  const own = [
    ['package.json', '{ "type": "module" }'],
    ['tsconfig.json', JSON.stringify(config)],
  ] as const
  for (const [path, text] of [...own, ...texts]) {
    await mkdir(dirname(`${folder}/${path}`), { recursive: true })
    await writeFile(`${folder}/${path}`, text)
  }
}

interface Diagnostic {
  readonly path: string
  readonly line: number
  readonly message: string
}

/** What the compiler says of the program in a folder. @throws Error for what is said of no file */
async function compile(folder: string): Promise<Diagnostic[]> {
  const { stdout } = await run(process.execPath, [COMPILER, '-p', folder, '--pretty', 'false'], {
    maxBuffer: 2 ** 26,
  }).catch((failed: { stdout: string; stderr: string }) => {
    if (failed.stdout === '') throw failed
    return failed
  })
  const found = stdout.split(/\n(?! )/).filter((text) => text.trim() !== '')
  return found.map((text) => {
    const [, path = '', line = '', message = ''] = /^(.+?)\((\d+),\d+\): error \w+: (.*)$/s.exec(text) ?? []
    if (message === '') throw new Error(text)
    return { path: resolve(path), line: Number(line), message: message.replace(/\n */g, ' ') }
  })
}

/** Each block stands on the lines it has in the page, so that errors name them. */
function sourceOf({ fences, prelude }: Module): string {
  let text = prelude
  let line = 1
  for (const fence of fences) {
    text += '\n'.repeat(fence.line - line) + fence.code
    line = fence.line + fence.code.split('\n').length - 1
  }
  return text
}
