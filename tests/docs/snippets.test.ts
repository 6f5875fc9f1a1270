import { describe, expect, test } from 'vitest'
import { allPages, type Page } from './markdown.ts'
import { compileSnippets, modulesOf } from './snippets.ts'

const page = (...blocks: string[]): Page => ({
  path: 'docs/example.md',
  text: blocks.map((block) => `Text.\n\n\`\`\`ts\n${block}\n\`\`\`\n`).join('\n'),
})

describe('the programs in the documents', () => {
  test('compile, every one of them, in a program that does find a wrong call', { timeout: 120_000 }, () => {
    const pages = allPages()
    const broken = page(
      "import { text } from 'strongroom'\nconst field = text({ nullabel: true })",
      'field.nothing',
      "import { nothing } from 'strongroom/memory'",
    )
    expect(pages.flatMap(modulesOf).length).toBeGreaterThan(15)
    const errors = compileSnippets([...pages, broken])
    const planted = errors.splice(-3)
    expect(planted[0]).toMatch(/^docs\/example\.md:5 .*nullabel/)
    expect(planted[1]).toMatch(/^docs\/example\.md:11 .*nothing/)
    expect(planted[2]).toMatch(/^docs\/example\.md:17 .*nothing/)
    expect(errors).toEqual([])
  })

  test('are one module up to the next block that begins with an import', () => {
    const modules = modulesOf(page("import 'strongroom'", 'room', "import 'strongroom'"))
    expect(modules.map(({ fences }) => fences.length)).toEqual([2, 1])
  })
})
