import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

const FOLDERS = ['benchmarks', 'docs', 'providers', 'src', 'tests']
const FILES = ['LICENSE', 'README.md', 'package-lock.json', 'package.json', 'tsconfig.json']

it('keeps the top level to its folders and files, and everything else in dot-files', () => {
  const root = new URL('../..', import.meta.url)
  const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
  const top = [...new Set(tracked.map((path) => path.split('/')[0] as string))]
  expect(top.filter((name) => !name.startsWith('.')).sort()).toEqual([...FILES, ...FOLDERS].sort())
})
