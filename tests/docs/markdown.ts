import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of the project. */
export const projectRoot = fileURLToPath(new URL('../../', import.meta.url))

/** A Markdown page of the project. */
export interface Page {
  /** Relative to the project, for example `docs/search.md`. */
  readonly path: string
  readonly text: string
}

/** One fenced block of a page. */
export interface Fence {
  /** The first word behind the backticks, for example `ts`. */
  readonly language: string
  /** The other words, for example `own-module`. */
  readonly marks: readonly string[]
  readonly code: string
  /** The line of the page on which the code begins; the first is 1. */
  readonly line: number
}

/** A Markdown page. @param path relative to the project */
export function readPage(path: string): Page {
  return { path, text: readFileSync(`${projectRoot}${path}`, 'utf8') }
}

/** README.md, the other pages beside it, and every page under docs/. */
export function allPages(): Page[] {
  return ['', 'docs/', 'benchmarks/'].flatMap((folder) => pagesIn(folder, folder === 'docs/')).map(readPage)
}

/** Every fenced block of a page, in order. */
export function fencesOf(page: Page): Fence[] {
  const fences: Fence[] = []
  const lines = page.text.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const opening = /^(\s*)(`{3,})\s*(.*)$/.exec(lines[at] as string)
    if (opening === null) continue
    const [, indent = '', ticks = '', info = ''] = opening
    const [language = '', ...marks] = info.trim().split(/\s+/)
    const first = at + 1
    at = lines.findIndex((line, index) => index >= first && line.trim() === ticks)
    if (at === -1) throw new Error(`${page.path}:${first} opens a block that is never closed`)
    const code = lines.slice(first, at).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    fences.push({ language, marks, code: `${code.join('\n')}\n`, line: first + 1 })
  }
  return fences
}

/** The code of the first `ts` block of a page: in README.md the first program. */
export function firstProgram(path = 'README.md'): string {
  const fence = fencesOf(readPage(path)).find(({ language }) => language === 'ts')
  if (fence === undefined) throw new Error(`${path} has no ts block`)
  return fence.code
}

/** A page without its fenced blocks and inline code, each replaced by nothing but its line breaks. */
export function proseOf(page: Page): string {
  const blank = (text: string) => text.replace(/[^\n]/g, '')
  return page.text.replace(/^(\s*)(`{3,})[\s\S]*?^\1\2\s*$/gm, blank).replace(/(`+)[^`][\s\S]*?\1/g, blank)
}

/** The anchors of a page: one for each heading, as GitHub makes them, and every `<a id="…">`. */
export function anchorsOf(page: Page): Set<string> {
  const anchors = new Set<string>()
  const text = page.text.replace(/^(\s*)(`{3,})[\s\S]*?^\1\2\s*$/gm, '')
  for (const [, heading = ''] of text.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = slugOf(heading)
    let anchor = slug
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`
    anchors.add(anchor)
  }
  for (const [, id = ''] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id)
  return anchors
}

function slugOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '')
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-')
}

function pagesIn(folder: string, recursive: boolean): string[] {
  if (!existsSync(`${projectRoot}${folder}`)) return []
  return readdirSync(`${projectRoot}${folder}`, { recursive, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `${folder}${path}`)
    .sort()
}
