import { describe, expect, test } from 'vitest'
import { DecryptionError } from '../../src/errors.ts'
import { cloakFormat } from '../../src/migration/formats/cloak.ts'

const key = (byte: number) => `k1.aesgcm256.${Buffer.alloc(32, byte).toString('base64url')}=`
const keys = [key(1), key(2)]
const format = cloakFormat({ keys })

describe('the format of cloak and prisma-field-encryption', () => {
  test('opens what it sealed, under the key that the value names', () => {
    for (const text of ['', 'a', 'ada@example.com', 'ü 𝄞', '\uFEFFbom', 'x'.repeat(70_000)]) {
      const sealed = format.seal(text)
      expect(sealed).toMatch(/^v1\.aesgcm256\.[0-9a-f]{8}\.[\w-]{16}\.[\w-]+={0,2}$/)
      expect(format.open(sealed)).toBe(text)
      expect(cloakFormat({ keys: keys.toReversed() }).open(sealed)).toBe(text)
      expect(() => cloakFormat({ keys: [key(2)] }).open(sealed)).toThrow(DecryptionError)
    }
  })

  test('opens a value of the package itself', () => {
    const own = cloakFormat({ keys: ['k1.aesgcm256.XLct5mU5zm1aWAceWI3JFxe2UIjyxg8vW5fUMmxz8Bw='] })
    expect(own.open('v1.aesgcm256.e25b1e2e.ZZD5ODhIyvkfbavb.HsKc7RUl8qLjsU9sRKZKeBqcapQkPA==')).toBe('héllo')
  })

  test('opens nothing that was changed or cut, at any place', () => {
    const sealed = format.seal('ada@example.com')
    for (let at = 0; at < sealed.length; at++) {
      expect(() => format.open(sealed.slice(0, at)), `cut at ${at}`).toThrow(DecryptionError)
      const other = sealed[at] === 'A' ? 'B' : 'A'
      const changed = `${sealed.slice(0, at)}${other}${sealed.slice(at + 1)}`
      if (changed.toLowerCase() !== sealed.toLowerCase())
        expect(() => format.open(changed), `at ${at}`).toThrow(DecryptionError)
    }
  })

  test('takes plaintext only when told to, and never what looks encrypted', () => {
    const lenient = cloakFormat({ keys, plaintext: true })
    expect(() => format.open('ada@example.com')).toThrow(DecryptionError)
    expect(lenient.open('ada@example.com')).toBe('ada@example.com')
    expect(() => lenient.open('v1.aesgcm256.')).toThrow(DecryptionError)
    expect(() => lenient.open(format.seal('x').slice(0, -6))).toThrow(DecryptionError)
    expect(() => lenient.open(format.seal(format.seal('twice')))).toThrow(DecryptionError)
  })

  test.each([[[]], [['k1.aesgcm256.short']], [[5]], [[`k2.aesgcm256.${'A'.repeat(43)}`]], ['k1']])(
    'refuses the keys %j',
    (wrong) => {
      expect(() => cloakFormat({ keys: wrong as string[] })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_INPUT' }),
      )
    },
  )
})
