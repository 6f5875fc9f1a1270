import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { readPage } from '../docs/markdown.ts'
import { capture } from './capture.ts'

const SCHEMA = `
model Post {
  id       Int     @id @default(autoincrement())
  title    String
  content  String? /// @encrypted <- annotate fields to encrypt
  author   User?   @relation(fields: [authorId], references: [id])
  authorId Int?
}

model User {
  org       String
  id        String
  email     String  @unique @map("mail") /// @encrypted?mode=strict
  emailHash String? @map("mail_hash") /// @encryption:hash(email)?algorithm=sha512&normalize=diacritics&normalize=lowercase
  /// @encrypted?readonly
  name      String?
  nameHash  String? /// @encryption:hash(name)
  posts     Post[]

  @@id([org, id])
  @@unique([org, emailHash])
  @@map("users")
}

model Plain {
  id Int @id
}
`

describe('strongroom prisma import', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-prisma-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  async function imported(schema: string, ...options: string[]) {
    const path = join(folder, 'schema.prisma')
    await writeFile(path, schema)
    const { streams, written } = capture()
    return { exit: await run(['prisma', 'import', path, ...options], streams), ...written }
  }

  test('prints records with what the annotations said, and migrations from the same columns', async () => {
    const { exit, stdout } = await imported(SCHEMA)
    expect(exit).toBe(0)
    expect(stdout).toContain(`
export const post = defineRecord(
  'Post',
  {
    content: text({ nullable: 'visible' }),
  },
  { id: 'id', plain: ['title', 'authorId'] },
)`)
    expect(stdout).toContain(`
    email: text({ index: { column: 'email_index', transform: userEmailForm, unique: true } }),
    name: text({ nullable: 'visible', index: { column: 'name_index', rows: 1_000_000, nulls: 'null' } }),
  },
  { id: ['org', 'id'] },`)
    expect(stdout).toContain(
      String.raw`apply: (value) => value.toLowerCase().normalize('NFD').replace(/[\u0300-\u036f]/g, ''),`,
    )
    expect(stdout).toContain(`email: { from: 'email', format: cloakFormat({ keys }) },`)
    expect(stdout).toContain(`name: { from: 'name', format: cloakFormat({ keys, plaintext: true }) },`)
    expect(stdout).not.toMatch(/Plain|emailHash|nameHash/)
  })

  test('says on stderr what becomes of the Prisma schema, and what it cannot know', async () => {
    const { stderr } = await imported(SCHEMA)
    expect(stderr).toMatch(/User: email_index String @unique takes the place of emailHash/)
    expect(stderr).toMatch(/User: name_index String\? takes the place of nameHash/)
    expect(stderr).toMatch(/`rows` of name_index/)
    expect(stderr).toMatch(/Post.id is made while a row is written/)
    expect(stderr).toMatch(/User.name was read-only/)
    expect(stderr).toMatch(/take @map from email,/)
  })

  test('gives the same to programs', async () => {
    const { stdout } = await imported(SCHEMA, '--json')
    const [, user] = JSON.parse(stdout)
    expect(user).toMatchObject({ name: 'User', table: 'users', id: ['org', 'id'], mapped: ['email'] })
    expect(user.fields[0].hash).toEqual({ column: 'emailHash', unique: true, normalize: ['lowercase', 'diacritics'] })
  })

  test.each<[string, string, RegExp]>([
    ['nothing is annotated', 'model A {\n  id Int @id\n}', /no field/],
    ['a number is annotated', 'model A {\n  id Int @id\n  n Int /// @encrypted\n}', /A\.n .* no String/],
    ['a list is annotated', 'model A {\n  id Int @id\n  n String[] /// @encrypted\n}', /A\.n .* no String/],
    ['a hash has no source', 'model A {\n  id Int @id\n  h String /// @encryption:hash(n)\n}', /A\.h is the hash of n/],
    ['a mode is unknown', 'model A {\n  id Int @id\n  n String /// @encrypted?mode=lax\n}', /unknown mode lax/],
    [
      'bytes are hashed',
      'model A {\n  id Int @id\n  n String /// @encrypted\n  h String /// @encryption:hash(n)?inputEncoding=hex\n}',
      /A\.h hashes hex/,
    ],
  ])('refuses a schema in which %s', async (_, schema, says) => {
    const { exit, stdout, stderr } = await imported(schema)
    expect([exit, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(says)
  })

  test('is called wrongly without a file that can be read', async () => {
    const { streams } = capture()
    expect(await run(['prisma', 'import', join(folder, 'nothing.prisma')], streams)).toBe(2)
  })

  test('prints the program of the guide', async () => {
    const { text } = readPage('docs/prisma-field-encryption.md')
    const [before = ''] = /(?<=```prisma\n)[\s\S]*?(?=```)/.exec(text) ?? []
    const { stdout } = await imported(before)
    expect(text).toContain(stdout.trim())
  })
})
