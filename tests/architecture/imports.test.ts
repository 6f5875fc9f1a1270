import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)

/** Files and folders of src in the order in which they may be used: each by itself and by those behind it. */
const ORDER = [
  'errors.ts',
  'checks.ts',
  'bytes.ts',
  'base64url.ts',
  'optional-peer.ts',
  'wait-for.ts',
  'endpoint.ts',
  'prisma-schema.ts',
  'crypto',
  'format',
  'kms.ts',
  'kms-checks.ts',
  'key-store.ts',
  'key-record-shape.ts',
  'key-store-checks.ts',
  'lru-bound.ts',
  'row-key.ts',
  'job.ts',
  'job-queue.ts',
  'table.ts',
  'table-shape.ts',
  'checked-table.ts',
  'sql',
  'events.ts',
  'keys',
  'index',
  'records',
  'mapping',
  'messages',
  'passwords',
  'rotation',
  'migration',
  'config.ts',
  'strongroom.ts',
  'doctor',
  'index.ts',
  'cli',
]
/** What a provider may use of src. */
const OPEN_TO_PROVIDERS = ORDER.slice(0, ORDER.indexOf('keys')).filter((part) => part !== 'format')
/** Adapters of object mappers: they also use what mappers share, and records. */
const MAPPERS = ['drizzle', 'kysely', 'prisma', 'sequelize', 'typeorm']

interface Import {
  readonly from: string
  readonly to: string
  /** Gone when the program runs. */
  readonly isType: boolean
}

const importsIn = (folder: string): Import[] =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/node_modules|generated/.test(file))
    .flatMap((file) => {
      const from = `${folder}/${file}`
      const text = readFileSync(new URL(from, root), 'utf8')
      const statements = text.matchAll(/^(?:import|export) (type )?(?:[\w*]|\{)[^'"]*? from '(\.[^']+)'/gm)
      const dynamic = text.matchAll(/\bimport\(()'(\.[^']+)'\)/g)
      const bare = text.matchAll(/^import ()'(\.[^']+)'/gm)
      return [...statements, ...dynamic, ...bare].map(([, type, target = '']) => ({
        from,
        to: normalize(join(dirname(from), target)),
        isType: type === 'type ',
      }))
    })
const partOf = (path: string) => path.split('/')[1] as string

describe('the files of the project', () => {
  const src = importsIn('src')
  const providers = importsIn('providers')

  test('stand in an order that names every one of them', () => {
    const parts = new Set(src.flatMap(({ from, to }) => [partOf(from), partOf(to)]))
    expect([...parts].filter((part) => !ORDER.includes(part))).toEqual([])
    expect(src.length).toBeGreaterThan(300)
  })

  test('import only what stands above them', () => {
    const wrong = src.filter(({ from, to }) => ORDER.indexOf(partOf(to)) > ORDER.indexOf(partOf(from)))
    expect(wrong).toEqual([])
  })

  test('of src never import a provider', () => {
    expect(src.filter(({ to }) => !to.startsWith('src/'))).toEqual([])
  })

  test('of a provider import contracts, errors, bytes and crypto alone, and of other providers the local ones', () => {
    const wrong = providers.filter(({ from, to }) => {
      if (MAPPERS.includes(partOf(from)) && ['mapping', 'records'].includes(partOf(to))) return false
      if (partOf(from) === 'web') return false // no provider of keys alone: see the next test
      if (to.startsWith('providers/')) return ![partOf(from), 'file', 'memory'].includes(partOf(to))
      return !OPEN_TO_PROVIDERS.includes(partOf(to)) && partOf(from) !== 'testing'
    })
    expect(wrong).toEqual([])
  })

  test('that strongroom/web is made of need nothing that only Node has', () => {
    const reached = new Set(['providers/web/index.ts'])
    for (const file of reached) {
      for (const { from, to, isType } of [...src, ...providers]) if (from === file && !isType) reached.add(to)
    }
    expect(reached).toContain('src/messages/header.ts')
    const outside = [...reached].flatMap((file) => {
      const text = readFileSync(new URL(file, root), 'utf8')
      return [...text.matchAll(/^(?:import|export) (?!type )[^']*?from '([^.'][^']*)'/gm)].map(([, name]) => [
        file,
        name,
      ])
    })
    expect(outside).toEqual([])
    const others = [...reached].filter((file) => !/^(src\/|providers\/(web|raw)\/)/.test(file))
    expect(others).toEqual([])
  })

  test('import each other in no circle, types included, and so do the tests and the benchmarks', () => {
    const next = new Map<string, string[]>()
    for (const { from, to } of [...src, ...providers, ...importsIn('tests'), ...importsIn('benchmarks')]) {
      next.set(from, [...(next.get(from) ?? []), to])
    }
    const done = new Set<string>()
    const circles: string[] = []
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (done.has(file) || path.includes(file)) return
      for (const target of next.get(file) ?? []) visit(target, [...path, file])
      done.add(file)
    }
    for (const file of next.keys()) visit(file, [])
    expect(circles).toEqual([])
  })
})
