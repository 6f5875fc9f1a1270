import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const filesIn = (folder: string) =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
const src = filesIn('src')
const read = (file: string) => readFileSync(new URL(file, root), 'utf8')

describe('files', () => {
  /** Each with its reason: one class whose private parts hold it together. */
  const long: Readonly<Record<string, string>> = {
    'src/keys/keyring.ts': 'one short method for each question that the rest asks of the keys in memory',
    'src/keys/key-manager.ts': 'one short method for each step in the life of a key',
    'src/records/record-cipher.ts': 'one short method for each thing that is done to rows',
    'src/errors.ts': 'one class for each thing that a caller does differently',
    'src/index.ts': 'the public names, one after the other',
    'src/messages/open.ts': 'the order of the checks of one reader',
  }

  test('are short, but for those with a reason', () => {
    const over = src.filter((file) => read(file).split('\n').length > 250 && long[file] === undefined)
    expect(over).toEqual([])
  })

  test('use no global state of the process: no environment, no working directory', () => {
    const library = src.filter((file) => !/^src\/(cli|doctor)\//.test(file))
    expect(library.filter((file) => /process\.(env|cwd|argv)/.test(read(file)))).toEqual([])
  })

  test('say of every export what it is', () => {
    const bare = src.flatMap((file) =>
      [
        ...read(file).matchAll(
          /^(.*)\n(export (?:async )?(?:abstract )?(?:function|class|interface|const|type) (\w+))/gm,
        ),
      ]
        .filter(
          ([, before]) => !/\*\/\s*$/.test(before as string) && !/^export (async )?function/.test(before as string),
        )
        .filter(([, , , name]) => !new RegExp(`\\*/\\nexport function ${name}\\b`).test(read(file)))
        .map(([, , , name]) => `${file} ${name}`),
    )
    const core = bare.filter((line) =>
      /^src\/(errors|events|kms|key-store|config|strongroom|records|keys)\b/.test(line),
    )
    expect(core).toEqual([])
  })
})
