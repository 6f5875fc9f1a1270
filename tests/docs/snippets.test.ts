import { readdirSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { allPages, type Page, projectRoot } from './markdown.ts'
import { compileSnippets, modulesOf } from './snippets.ts'

const page = (...blocks: string[]): Page => ({
  path: 'docs/example.md',
  text: blocks.map((block) => `Text.\n\n\`\`\`ts\n${block}\n\`\`\`\n`).join('\n'),
})

const typeTests = readdirSync(`${projectRoot}tests/types`)
  .filter((name) => name.endsWith('.test-d.ts'))
  .map((name) => `tests/types/${name}`)
const broken = page(
  "import { text } from 'strongroom'\nconst field = text({ nullabel: true })",
  'field.nothing',
  "import { nothing } from 'strongroom/memory'",
  "import { integer } from 'strongroom'\n// @ts-expect-error nothing is wrong here\ninteger()",
)

describe('the programs in the documents', () => {
  let errors: string[]
  beforeAll(async () => {
    errors = await compileSnippets([...allPages(), broken], typeTests)
  }, 300_000)

  test('compile, every one of them, in a program that does find a wrong call', () => {
    expect(allPages().flatMap(modulesOf).length).toBeGreaterThan(15)
    expect(errors.filter((error) => error.startsWith('docs/example.md:'))).toEqual([
      expect.stringMatching(/^docs\/example\.md:5 .*nullabel/),
      expect.stringMatching(/^docs\/example\.md:11 .*nothing/),
      expect.stringMatching(/^docs\/example\.md:17 .*nothing/),
      expect.stringMatching(/^docs\/example\.md:24 Unused '@ts-expect-error'/),
    ])
    expect(errors.filter((error) => !/^(docs\/example\.md|tests\/types\/.*):/.test(error))).toEqual([])
  })

  test('compile in one program with the tests of types, all of which hold', () => {
    expect(typeTests.length).toBeGreaterThan(5)
    expect(errors.filter((error) => error.startsWith('tests/types/'))).toEqual([])
  })

  test('are one module up to the next block that begins with an import', () => {
    const modules = modulesOf(page("import 'strongroom'", 'room', "import 'strongroom'"))
    expect(modules.map(({ fences }) => fences.length)).toEqual([2, 1])
  })
})
