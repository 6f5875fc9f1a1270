import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CommandError } from '../../src/cli/output.ts'
import * as errors from '../../src/errors.ts'
import { projectRoot, readPage } from './markdown.ts'

const page = readPage('docs/errors.md').text
const codes = new Map(
  [...page.matchAll(/^\| `(ERR_\w+)` +\| `(\w+)`/gm)].map(([, code = '', name = '']) => [code, name]),
)

describe('the page of errors', () => {
  test('lists every code that is thrown anywhere', () => {
    const thrown = new Set<string>()
    for (const folder of ['src', 'providers']) {
      for (const file of readdirSync(`${projectRoot}${folder}`, { recursive: true, encoding: 'utf8' })) {
        if (!file.endsWith('.ts')) continue
        const text = readFileSync(`${projectRoot}${folder}/${file}`, 'utf8')
        const made = /(?:super|Error)\(\s*'(ERR_\w+)'|readonly code = '(ERR_\w+)'/g
        for (const [, first, second] of text.matchAll(made)) thrown.add((first ?? second) as string)
      }
    }
    expect(thrown.size).toBeGreaterThan(15)
    expect([...codes.keys()].sort()).toEqual([...thrown].sort())
  })

  test('lists every class of error', () => {
    const classes = Object.entries({ ...errors, CommandError }).filter(([, value]) => typeof value === 'function')
    expect(classes.map(([name]) => name).filter((name) => ![...codes.values()].includes(name))).toEqual([])
  })

  test.each([
    ['KeyRecordFault', 'Faults of key records'],
    ['KeyStoreFault', 'Faults of key stores'],
    ['KmsErrorKind', 'Kinds of KMS errors'],
    ['KeyFileFault', 'Faults of key files'],
  ])('lists every %s', (type, heading) => {
    const source = readFileSync(`${projectRoot}src/errors.ts`, 'utf8')
    const union = new RegExp(`export type ${type} =([^\\n]*(?:\\n  \\|[^\\n]*)*)`).exec(source)?.[1] ?? ''
    const kinds = [...union.matchAll(/'([\w-]+)'/g)].map((match) => match[1])
    const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
    const listed = [...section.matchAll(/^\| `([\w-]+)` /gm)]
      .map((match) => match[1])
      .filter((kind) => !/^(fault|kind)$/.test(kind as string))
    expect(kinds.length).toBeGreaterThan(3)
    expect(listed.sort()).toEqual(kinds.sort())
  })
})
