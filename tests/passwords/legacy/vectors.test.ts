import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { argon2id } from '../../../src/passwords/argon2id.ts'
import { small } from '../fixtures.ts'

const { cases } = JSON.parse(readFileSync(new URL('../../vectors/passwords/legacy.json', import.meta.url), 'utf8')) as {
  cases: { source: string; scheme: string; password: string; stored: string }[]
}

const hasher = argon2id({ ...small, passes: 3, admission: { queue: 1000, deadlineMs: 600_000 } })

describe('a password stored by', () => {
  for (const { source, scheme, password, stored } of cases) {
    test.concurrent(`${source}: ${scheme}, ${password.slice(0, 9)}`, async () => {
      expect(hasher.inspect(stored)).toMatchObject({ scheme, wrapped: false, belowFloor: true })
      const right = await hasher.verify(password, stored)
      expect(right.valid).toBe(true)
      expect(right.rehash).toMatch(/^\$argon2id\$v=19\$m=1024,t=3,p=1\$/)
      expect(await hasher.verify(password, right.rehash)).toEqual({ valid: true })
      expect(await hasher.verify(`?${password.slice(1)}`, stored)).toEqual({ valid: false })

      const wrapped = await hasher.wrapLegacy(stored)
      expect(wrapped).not.toContain(stored.slice(-20, -2))
      expect(hasher.inspect(wrapped)).toMatchObject({ scheme, wrapped: true })
      const unwrapped = await hasher.verify(password, wrapped)
      expect(unwrapped.valid).toBe(true)
      expect(await hasher.verify(password, unwrapped.rehash)).toEqual({ valid: true })
      expect(await hasher.verify('no', wrapped)).toEqual({ valid: false })
    })
  }
})
