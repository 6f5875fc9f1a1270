import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { DecryptionError } from '../../src/errors.ts'
import { cloakFormat } from '../../src/migration/formats/cloak.ts'
import { fernetFormat } from '../../src/migration/formats/fernet.ts'
import { laravelFormat } from '../../src/migration/formats/laravel.ts'
import { railsFormat } from '../../src/migration/formats/rails.ts'
import type { OldFormat } from '../../src/migration/old-format.ts'

const { cloak, fernet, laravel, rails } = JSON.parse(
  readFileSync(new URL('../vectors/old-formats.json', import.meta.url), 'utf8'),
)

interface Vector {
  readonly name: string
  readonly format: OldFormat
  readonly other: OldFormat
  readonly stored: string
  readonly plaintext: string
}

const OTHER = Buffer.alloc(32, 3)
const vectors: Vector[] = [
  ...cloak.values.map((value: object, at: number) => ({
    ...value,
    name: `cloak ${at}`,
    format: cloakFormat({ keys: cloak.keys }),
    other: cloakFormat({ keys: [`k1.aesgcm256.${OTHER.toString('base64url')}=`] }),
  })),
  ...[fernet.specification, ...fernet.values].map((value: { key?: string }, at) => ({
    ...value,
    name: `fernet ${at}`,
    format: fernetFormat({ keys: value.key === undefined ? fernet.keys : [value.key] }),
    other: fernetFormat({ keys: [OTHER.toString('base64url')] }),
  })),
  ...laravel.values.map((value: { cipher: 'aes-256-cbc'; serialize: boolean }, at: number) => ({
    ...value,
    name: `laravel ${at}: ${value.cipher}${value.serialize ? ', serialized' : ''}`,
    format: laravelFormat({ keys: laravel.keys, cipher: value.cipher, serialize: value.serialize }),
    other: laravelFormat({
      keys: [`base64:${OTHER.toString('base64')}`],
      cipher: value.cipher,
      serialize: value.serialize,
    }),
  })),
  ...rails.values.map((value: { digest: 'sha1'; deterministic: boolean }, at: number) => ({
    ...value,
    name: `rails ${at}: ${value.digest}${value.deterministic ? ', deterministic' : ''}`,
    format: railsFormat({ ...rails, ...value }),
    other: railsFormat({ ...rails, ...value, keys: ['another'] }),
  })),
]

describe('values of other libraries', () => {
  test.each(vectors)('$name opens, and what is sealed opens again', ({ format, stored, plaintext }) => {
    expect(format.open(stored)).toBe(plaintext)
    const sealed = format.seal(plaintext)
    expect(sealed).not.toBe(plaintext)
    expect(format.open(sealed)).toBe(plaintext)
  })

  test.each(vectors)('$name does not open under another key', ({ other, stored }) => {
    expect(() => other.open(stored)).toThrow(DecryptionError)
  })

  test.each(vectors)(
    '$name does not open when it was cut, grown or changed anywhere',
    ({ format, stored, plaintext }) => {
      for (let at = 0; at < stored.length; at += Math.max(1, Math.floor(stored.length / 60))) {
        const flipped = String.fromCharCode(stored.charCodeAt(at) ^ 1)
        const damaged = [
          stored.slice(0, at),
          stored.slice(0, at) + flipped + stored.slice(at + 1),
          `${stored.slice(0, at)}A${stored.slice(at)}`,
        ]
        for (const text of damaged) expect(opened(format, text, plaintext), text).not.toBe('another value')
      }
      const hostile = [
        '5',
        '{"p":5,"h":5}',
        '{"__proto__":{"h":{}}}',
        btoa('null'),
        btoa('{"iv":5,"value":{},"mac":[]}'),
      ]
      for (const text of ['', 'null', '{}', '[]', ...hostile, `${stored}=`, `${stored} `, ` ${stored}`]) {
        expect(opened(format, text, plaintext), text).not.toBe('another value')
      }
    },
  )

  test('equal values of a deterministic attribute are sealed as Rails sealed them', () => {
    for (const { stored, plaintext, ...value } of rails.values) {
      if (!value.deterministic || plaintext.length > 140) continue
      const again = JSON.parse(railsFormat({ ...rails, ...value, keys: ['primary-key-two'] }).seal(plaintext))
      expect(again.p).toBe(JSON.parse(stored).p)
      expect(again.h.iv).toBe(JSON.parse(stored).h.iv)
    }
  })

  test('a deflated value that would fill memory is refused', () => {
    const format = railsFormat({ keys: ['x'], salt: 'y' })
    const bomb = format.seal('x'.repeat(17 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(50_000)
    expect(() => format.open(bomb)).toThrow(DecryptionError)
  })

  test('an object of PHP is not read', () => {
    const format = laravelFormat({ keys: laravel.keys, serialize: true })
    const plain = laravelFormat({ keys: laravel.keys })
    for (const text of ['O:8:"stdClass":0:{}', 'a:0:{}', 's:5:"abcd";', 'N;', 's:1:"a";s:1:"b";']) {
      expect(() => format.open(plain.seal(text)), text).toThrow(DecryptionError)
    }
  })

  test('bytes that are no text stay bytes', () => {
    const bytes = new Uint8Array([0, 255, 128])
    for (const format of [
      cloakFormat({ keys: cloak.keys }),
      fernetFormat({ keys: fernet.keys }),
      laravelFormat({ keys: laravel.keys }),
    ]) {
      expect(format.open(format.seal(bytes))).toEqual(bytes)
    }
  })

  test('keys that are none are refused at once', () => {
    expect(() => cloakFormat({ keys: ['k1.aesgcm256.short'] })).toThrow(TypeError)
    expect(() => fernetFormat({ keys: [] })).toThrow(TypeError)
    expect(() => laravelFormat({ keys: ['base64:AAAA'] })).toThrow(TypeError)
    expect(() => railsFormat({ keys: [''], salt: '' })).toThrow(TypeError)
  })
})

/** The tail of a JSON text or the padding of its base64 can be changed without changing what it says; the value cannot. */
function opened(format: OldFormat, text: string, plaintext: string): 'refused' | 'the value' | 'another value' {
  try {
    return format.open(text) === plaintext ? 'the value' : 'another value'
  } catch (error) {
    return error instanceof DecryptionError ? 'refused' : 'another value'
  }
}
