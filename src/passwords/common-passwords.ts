import { ConfigError } from '../errors.ts'
import { type PasswordBlocklist, wordList } from './policy.ts'

/**
 * The passwords that most people choose, from the package `@zxcvbn-ts/language-common`: about fifty thousand, offline.
 * Few of them have 15 characters: beside it use `breachedPasswords`, or a list of your own.
 *
 * @throws ConfigError, when first asked, if the package is not installed
 */
export function commonPasswords(): PasswordBlocklist {
  let list: Promise<PasswordBlocklist> | undefined
  return {
    name: 'common-passwords',
    async has(password) {
      list ??= load().catch((error) => {
        list = undefined // it may be installed before the next try
        throw error
      })
      return (await list).has(password)
    },
  }
}

async function load(): Promise<PasswordBlocklist> {
  const module = await import('@zxcvbn-ts/language-common').catch((cause) => {
    throw new ConfigError('commonPasswords needs a package: npm install @zxcvbn-ts/language-common', { cause })
  })
  // A CommonJS module to Node, whose names are found on the module or on its default, depending on the version.
  const { dictionary } = 'dictionary' in module ? module : (module as { default: typeof module }).default
  return wordList(wordsOf(dictionary), 'common-passwords')
}

/** The list has had several names and shapes. */
function wordsOf(dictionary: object): string[] {
  const lists = Object.entries(dictionary).filter(([name]) => name.startsWith('passwords'))
  const words = lists.flatMap(([, list]) => (Array.isArray(list) ? list : Object.keys(list)))
  if (words.length === 0) throw new ConfigError('this version of @zxcvbn-ts/language-common has no list of passwords')
  return words
}
