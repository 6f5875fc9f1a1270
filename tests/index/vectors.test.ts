import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { InvalidInputError } from '../../src/errors.ts'
import { indexKey, openTagMaker, TagMaker } from '../../src/index/blind-index.ts'
import { bucket } from '../../src/index/bucket-transforms.ts'
import type { FieldType } from '../../src/index/field-type.ts'
import { planIndex } from '../../src/index/planner.ts'
import { storedPart } from '../../src/index/searched-value.ts'
import { slowTag } from '../../src/index/slow-tag.ts'
import { prefix } from '../../src/index/text-transforms.ts'
import type { AnyTransform, TransformName } from '../../src/index/transform.ts'
import { resolveTransform } from '../../src/index/transforms.ts'
import { slowHash } from '../../src/passwords/slow-hash.ts'
import { specifiedForm, specifiedKey, specifiedTag } from './specification.ts'

interface Vectors {
  keys: {
    comment: string
    rootSecret: string
    table: string
    column: string
    index: string
    transformId: string
    bits: number
    key: string
  }[]
  tags: {
    comment: string
    key: string
    bits: number
    version: number
    parts: { type: number; utf8?: string; hex?: string }[]
    tag: string
  }[]
  slow: Vectors['tags']
  transforms: { name: string; parameter?: string; id: string; type: FieldType; input: string; form: string }[]
  plans: { rows: number; distinct?: number; least: number; usual: number; most: number }[]
}

const vectors: Vectors = JSON.parse(readFileSync(new URL('../vectors/blind-index.json', import.meta.url), 'utf8'))
const hex = (text: string) => Buffer.from(text, 'hex')

test('the file holds as many vectors as it was frozen with', () => {
  expect(
    Object.values(vectors)
      .map((list) => list.length)
      .slice(1),
  ).toEqual([8, 16, 1, 101, 23])
})

describe('a key of the vectors', () => {
  test.each(vectors.keys)('$comment', ({ rootSecret, key, ...definition }) => {
    expect(indexKey(hex(rootSecret), definition).toString('hex')).toBe(key)
    expect(specifiedKey(hex(rootSecret), definition).toString('hex')).toBe(key)
    const parts = [{ type: 1, value: 'Ada' }]
    const maker = openTagMaker(hex(rootSecret), definition)
    expect(maker.tag(1, parts)).toEqual(specifiedTag(hex(key), definition.bits, 1, parts))
  })
})

describe('a tag of the vectors', () => {
  test.each(vectors.tags)('$comment', ({ key, bits, version, parts, tag }) => {
    const list = parts.map(({ type, utf8, hex: bytes }) => ({ type, value: utf8 ?? hex(bytes as string) }))
    expect(new TagMaker(hex(key), bits).tag(version, list).toString('hex')).toBe(tag)
    expect(specifiedTag(hex(key), bits, version, list).toString('hex')).toBe(tag)
  })
})

describe('a slow tag of the vectors', () => {
  test.each(vectors.slow)('$comment', async ({ key, bits, version, parts, tag }) => {
    const list = parts.map(({ type, utf8, hex: bytes }) => ({ type, value: utf8 ?? hex(bytes as string) }))
    expect((await slowTag(new TagMaker(hex(key), bits), version, list, slowHash())).toString('hex')).toBe(tag)
  })
})

describe('a transform of the vectors', () => {
  test.each(vectors.transforms)('$id of $type $input', ({ name, parameter, id, type, input, form }) => {
    const transform = resolveTransform(named(name, parameter, type), type)
    expect(transform.id).toBe(id)
    const apply = () => Buffer.from(storedPart(transform, type, parsed(type, input), 'value').value as string)
    if (form === 'refused') expect(apply).toThrow(InvalidInputError)
    else expect(apply().toString('hex')).toBe(form)
    expect(specifiedForm(name, parameter, type, input)).toBe(form)
  })
})

describe('a plan of the vectors', () => {
  test.each(vectors.plans)('$rows rows, $distinct distinct', ({ rows, distinct, least, usual, most }) => {
    expect(planIndex({ rows, distinct }).bits).toBe(usual)
    expect(planIndex({ rows, distinct, bits: least }).bits).toBe(least)
    expect(planIndex({ rows, distinct, bits: most }).bits).toBe(most)
    expect(() => planIndex({ rows, distinct, bits: most + 1 })).toThrow(`${least} to ${most} bits`)
    if (least > 1) expect(() => planIndex({ rows, distinct, bits: least - 1 })).toThrow(`${least} to ${most} bits`)
  })
})

function named(name: string, parameter: string | undefined, type: FieldType): TransformName | AnyTransform {
  if (name === 'prefix') return prefix(Number(parameter))
  if (name === 'bucket') return bucket(type === 'bigint' ? BigInt(parameter as string) : Number(parameter))
  return name as TransformName
}

function parsed(type: FieldType, input: string): unknown {
  if (type === 'text') return input
  if (type === 'bytes') return hex(input)
  if (type === 'bigint') return BigInt(input)
  if (type === 'boolean') return input === 'true'
  return type === 'date' ? new Date(input) : Number(input)
}
