import { expectTypeOf, test } from 'vitest'
import {
  argon2id,
  breachedPasswords,
  type PasswordHasher,
  type PasswordPepper,
  passwordPolicy,
  verifyAndUpgrade,
  withPepper,
} from '../../src/index.ts'

const passwords = argon2id()

test('the answer of verify says valid, and sometimes what to store', () => {
  expectTypeOf(passwords).toEqualTypeOf<PasswordHasher>()
  expectTypeOf(passwords.verify('p', undefined)).resolves.toEqualTypeOf<{
    readonly valid: boolean
    readonly rehash?: string
  }>()
  expectTypeOf(passwords.hash('p')).resolves.toEqualTypeOf<string>()
  expectTypeOf(passwords.hash).not.toBeAny()
})

test('what would be a mistake does not compile', () => {
  // @ts-expect-error a password is text
  void passwords.hash(Buffer.from('p'))
  // @ts-expect-error the stored value is never left out
  void passwords.verify('p')
  // @ts-expect-error no such preset
  argon2id({ preset: 'fast' })
  // @ts-expect-error no salt, and nothing else that is chosen by the caller
  void passwords.hash('p', { salt: 'x' })
  // @ts-expect-error no such engine
  argon2id({ engine: 'bcrypt' })
  // @ts-expect-error the user's fetch is asked for
  breachedPasswords({})
  // @ts-expect-error no such factor
  passwordPolicy({ factors: 'two' })
  // @ts-expect-error a login without a way to store the upgrade
  void verifyAndUpgrade(passwords, { password: 'p', stored: undefined })
})

test('a peppered hasher is a hasher, and reencrypt wants the user', () => {
  const peppered = withPepper(passwords, {} as PasswordPepper)
  expectTypeOf(peppered).toExtend<PasswordHasher>()
  // @ts-expect-error the user id is part of what is stored
  void peppered.reencrypt('sr1_')
})
