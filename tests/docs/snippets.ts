import ts from 'typescript'
import { type Fence, fencesOf, type Page, projectRoot } from './markdown.ts'

/** Blocks of one page that are one module: what a reader would put into one file. */
interface Module {
  readonly path: string
  readonly page: Page
  readonly fences: readonly Fence[]
}

/**
 * The `ts` blocks of a page as modules. A block that begins with an import starts a new module, every other block
 * continues the one before it; so does one marked `continued`. A block marked `not-compiled` is left out.
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
  return groups.map((fences, at) => ({ path: `${projectRoot}docs/snippet-${base}-${at + 1}.ts`, page, fences }))
}

/** Compiles the `ts` blocks of all pages, strictly, as one program. @returns one line for each error, with page and line */
export function compileSnippets(pages: readonly Page[]): string[] {
  const modules = new Map(pages.flatMap(modulesOf).map((module) => [module.path, module]))
  const options = snippetOptions()
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  const textOf = (path: string) => {
    const module = modules.get(path)
    return module && sourceOf(module)
  }
  host.fileExists = (path) => modules.has(path) || fileExists(path)
  host.readFile = (path) => textOf(path) ?? readFile(path)
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const text = textOf(path)
    return text === undefined
      ? getSourceFile(path, languageVersion, ...rest)
      : ts.createSourceFile(path, text, languageVersion, true)
  }
  const program = ts.createProgram([...modules.keys()], options, host)
  const errors: string[] = []
  for (const module of modules.values()) {
    const source = program.getSourceFile(module.path)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    errors.push(...found.map((diagnostic) => explain(module, diagnostic)))
  }
  return errors
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
function sourceOf({ fences }: Module): string {
  let text = ''
  let line = 1
  for (const fence of fences) {
    text += '\n'.repeat(fence.line - line) + fence.code
    line = fence.line + fence.code.split('\n').length - 1
  }
  return text
}

function explain({ page }: Module, { file, start = 0, messageText }: ts.Diagnostic): string {
  const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
  return `${page.path}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
}
