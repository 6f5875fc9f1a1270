import { dirname } from 'node:path'
import ts from 'typescript'
import { type Fence, fencesOf, type Page, projectRoot, readPage } from './markdown.ts'
import { STAND_INS } from './stand-ins.ts'

/** Blocks of one page that are one module: what a reader would put into one file. */
interface Module {
  readonly path: string
  readonly page: Page
  readonly fences: readonly Fence[]
  /** What earlier modules of the page export and this one uses. */
  readonly prelude: string
}

/** What `./strongroom.config.ts` is for a reader: what `strongroom init` writes, as docs/cli.md shows it. */
const CONFIG_PATH = `${projectRoot}docs/strongroom.config.ts`

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
    return { path: `${projectRoot}docs/${name}`, page, fences, prelude }
  })
}

/** Whether code names something that it neither declares nor imports. */
function uses(code: string, word: string): boolean {
  const declared = `(?:const|let|function|class) ${word}\\b|(?:import|import type|const) \\{[^}]*\\b${word}\\b[^}]*\\}`
  return new RegExp(`\\b${word}\\b`).test(code) && !new RegExp(declared).test(code)
}

/**
 * Compiles the `ts` blocks of all pages, and files of the project, strictly, as one program: most of the time goes into
 * reading what they import.
 *
 * @param files paths from the root of the project
 * @returns one line for each error, with page or file and line
 */
export function compileSnippets(pages: readonly Page[], files: readonly string[] = []): string[] {
  const modules = new Map(pages.flatMap(modulesOf).map((module) => [module.path, module]))
  const names = new Map([...modules].map(([path, { page }]) => [path, page.path]))
  for (const file of files) names.set(`${projectRoot}${file}`, file)
  const options = snippetOptions()
  const host = ts.createCompilerHost(options)
  host.jsDocParsingMode = ts.JSDocParsingMode.ParseForTypeErrors
  const { fileExists, readFile, getSourceFile } = host
  const config = fencesOf(readPage('docs/cli.md')).find(({ code }) => code.includes('export default defineStrongroom('))
  const textOf = (path: string) => {
    const module = modules.get(path)
    if (path === CONFIG_PATH) return config?.code
    return module === undefined ? STAND_INS.get(path) : sourceOf(module)
  }
  const folders = new Set([...STAND_INS.keys()].map((path) => dirname(path)))
  host.directoryExists = (path) => folders.has(path) || ts.sys.directoryExists(path)
  host.fileExists = (path) => textOf(path) !== undefined || fileExists(path)
  host.readFile = (path) => textOf(path) ?? readFile(path)
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const text = textOf(path)
    return text === undefined
      ? getSourceFile(path, languageVersion, ...rest)
      : ts.createSourceFile(path, text, languageVersion, true)
  }
  const program = ts.createProgram([...names.keys(), ...STAND_INS.keys()], options, host)
  return [...names].flatMap(([path, name]) => {
    const source = program.getSourceFile(path)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found.map((diagnostic) => explain(name, diagnostic))
  })
}

/** The options of the project, but that a snippet may declare what it does not use. */
function snippetOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(`${projectRoot}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, projectRoot)
  return {
    ...options,
    noUnusedLocals: false,
    noUnusedParameters: false,
    moduleDetection: ts.ModuleDetectionKind.Force,
    noEmit: true,
  }
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

function explain(name: string, { file, start = 0, messageText }: ts.Diagnostic): string {
  const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
  return `${name}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
}
