import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { allPages, anchorsOf, type Page, projectRoot, proseOf, readPage } from './markdown.ts'

describe('the documents', () => {
  test.each(allPages().map((page) => [page.path, page] as const))('%s links to what exists', (_, page) => {
    expect(linksOf(page).map((link) => faultOf(page, link))).toEqual(linksOf(page).map(() => undefined))
  })

  test('are reached from the index of the documents', () => {
    const pages = new Map(allPages().map((page) => [page.path, page]))
    const reached = new Set<string>()
    const follow = (path: string) => {
      const page = pages.get(path)
      if (page === undefined || reached.has(path)) return
      reached.add(path)
      for (const link of linksOf(page)) follow(normalize(join(dirname(path), link.split('#')[0] as string)))
    }
    follow('docs/README.md')
    expect([...pages.keys()].filter((path) => path.startsWith('docs/') && !reached.has(path))).toEqual([])
  })

  test('name no path of the machine they were written on', () => {
    const paths = /(?:^|[\s"'`(])(?:\/(?:work|tmp|root|home\/\w+)\/|\/Users\/|[A-Z]:\\)/m
    expect(
      allPages()
        .filter((page) => paths.test(page.text))
        .map(({ path }) => path),
    ).toEqual([])
  })
})

describe('the check of links', () => {
  const page: Page = { path: 'docs/README.md', text: '# Here\n' }

  test.each(['nowhere.md', '#nowhere', 'search.md#nowhere', '../../outside.md'])('finds that %s is broken', (link) => {
    expect(faultOf(page, link)).toBeDefined()
  })

  test.each(['search.md', '#here', 'search.md#null', '../package.json', 'https://example.com/x'])(
    'takes %s',
    (link) => {
      expect(faultOf(page, link)).toBeUndefined()
    },
  )
})

function linksOf(page: Page): string[] {
  const prose = proseOf(page)
  const inline = [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)]
  const references = [...prose.matchAll(/^\[[^\]]+\]: *(\S+)/gm)]
  const html = [...prose.matchAll(/(?:href|src)="([^"]+)"/g)]
  return [...inline, ...references, ...html].map((match) => match[1] as string)
}

/** What is wrong with a link; links to the web are not followed. */
function faultOf(page: Page, link: string): string | undefined {
  if (/^(https:|mailto:)/.test(link)) return undefined
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page.path : normalize(join(dirname(page.path), path))
  if (target.startsWith('..') || !existsSync(`${projectRoot}${target}`)) return `${link}: there is no ${target}`
  if (anchor === undefined) return undefined
  if (statSync(`${projectRoot}${target}`).isDirectory()) return `${link}: a folder has no anchors`
  const text = target === page.path ? page : readPage(target)
  return anchorsOf(text).has(anchor) ? undefined : `${link}: ${target} has no #${anchor}`
}
