import { describe, expect, test } from 'vitest'
import { allPages, anchorsOf, fencesOf, type Page, proseOf } from './markdown.ts'

const page: Page = {
  path: 'docs/example.md',
  text: [
    '# What it is: `a` & b',
    'prose `code` prose',
    '```ts own-module',
    'const link = "[no](nowhere.md)"',
    '```',
    '## Twice',
    '## Twice',
    '<a id="here"></a>',
    '- ```sh',
    '  ```sh',
    '  npm test',
    '  ```',
    '',
  ].join('\n'),
}

describe('the reader of Markdown that the tests of the documents stand on', () => {
  test('finds blocks with their language, marks, place and code', () => {
    expect(fencesOf(page)).toEqual([
      { language: 'ts', marks: ['own-module'], code: 'const link = "[no](nowhere.md)"\n', line: 4 },
      { language: 'sh', marks: [], code: 'npm test\n', line: 11 },
    ])
  })

  test('refuses a block that is never closed', () => {
    expect(() => fencesOf({ path: 'x.md', text: '```ts\nlet a' })).toThrow('x.md:1')
  })

  test('knows the anchors of headings as GitHub makes them', () => {
    expect([...anchorsOf(page)]).toEqual(['what-it-is-a--b', 'twice', 'twice-1', 'here'])
  })

  test('leaves code out of the prose and keeps the lines', () => {
    const prose = proseOf(page)
    expect(prose).not.toContain('nowhere')
    expect(prose).not.toContain('code')
    expect(prose.split('\n')).toHaveLength(page.text.split('\n').length)
  })

  test('sees the README and the pages of the docs folder, at any depth', () => {
    const paths = allPages().map(({ path }) => path)
    expect(paths).toContain('README.md')
    expect(paths).toContain('docs/search.md')
    expect(paths).toContain('docs/providers/vault.md')
  })
})
