import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { describeComponent } from '../../components/component.ts'
import { PRISMA_VERSIONS } from './clients.ts'

const PROGRAM = `
import { bigint, bytes, date, defineRecord, json, text, uuidv7 } from 'strongroom'
import { prismaRow, strongroomPrisma } from 'strongroom/prisma'
import { PrismaClient } from './generated/ENTRY'

declare const prisma: PrismaClient
declare const room: { records: object }
const customers = defineRecord(
  'customers',
  {
    name: text({ index: { column: 'name_index', transform: 'casefold', rows: 1000 } }),
    birthDate: date({ nullable: true }), balance: bigint(), notes: json<{ at: string }[]>(),
    photo: bytes({ storage: 'binary', nullable: true }), nickname: text({ nullable: 'visible' }),
  },
  { id: 'id', tenant: 'orgId', plain: 'all', indexes: { person_index: { fields: ['name', 'birthDate'], rows: 1000 } } },
)
const db = prisma.$extends(strongroomPrisma(room, { models: { Customer: customers }, ids: { Customer: uuidv7 } }))
// @ts-expect-error ids for a model that has no record
strongroomPrisma(room, { models: { Customer: customers }, ids: { Tag: uuidv7 } })

const row = await db.customer.findFirstOrThrow({ where: prismaRow(customers, { birthDate: new Date() }) })
export const results: [Date | null, bigint, { at: string }[], string, string | null] = [
  row.birthDate, row.balance, row.notes, row.status, row.nickname,
]
// @ts-expect-error it is a bigint
export const wrong: string = row.balance
// @ts-expect-error and not any
row.birthDate.nothing

const order = await db.order.findFirstOrThrow({ include: { customer: true } })
export const related: Date | null | undefined = order.customer?.birthDate
// @ts-expect-error a related row has the real types as well
export const wrongRelated: string | undefined = order.customer?.balance
const [picked] = await db.customer.findMany({ select: { birthDate: true } })
export const selected: Date | null | undefined = picked?.birthDate
// @ts-expect-error not selected
picked?.name

// @ts-expect-error a date is no text
prismaRow(customers, { birthDate: '1815-12-10' })
// @ts-expect-error null is not declared
prismaRow(customers, { balance: null })
// @ts-expect-error what is not said to be encrypted has the type of the column
await db.customer.findFirst({ where: { birthDate: new Date() } })

const members = defineRecord(
  'members',
  { email: text({ index: { column: 'email_index', transform: 'email', unique: true } }), phone: text({ nullable: 'visible' }) },
  { id: 'id', plain: ['role', 'logins', 'invitedById'] },
)
const member = { id: uuidv7(), email: 'ada@example.com', role: 'admin' }
const people = prisma.$extends(strongroomPrisma(room, { models: { Member: members } }))
export const created: string | null = (await people.member.create({ data: prismaRow(members, member) })).phone
await people.member.createMany({ data: [prismaRow(members, member)] })
// @ts-expect-error a new row needs its email
await people.member.create({ data: prismaRow(members, { id: 'm1', role: 'admin' }) })
// @ts-expect-error a tag cannot be given
prismaRow(members, { email_index: '00ff' })

const key = { id: 'c1', orgId: 'acme' }
const data = prismaRow(customers, { birthDate: null, balance: 3n, photo: new Uint8Array(1), notes: [], nickname: null, name: 'n' })
export const changed: bigint = (await db.customer.update({ where: key, data })).balance
export const { count }: { count: number } = await db.customer.updateEach({ where: { status: 'x' }, data })
// @ts-expect-error no such column
await db.customer.updateEach({ where: { nothing: 'x' }, data })
await db.$transaction(async (tx) => {
  const found: Date | null = (await tx.customer.findFirstOrThrow()).birthDate
  return found
})
`

for (const { name, folder, entry, missing } of PRISMA_VERSIONS) {
  describeComponent(`the types of ${name}`, missing, () => {
    test('follow the record, and refuse what does not', { timeout: 120_000 }, () => {
      const program = PROGRAM.replace('ENTRY', entry)
      expect(errorsIn(`${folder}/program.ts`, program)).toEqual([])
      const broken = program.replaceAll('// @ts-expect-error', '//')
      const lines = new Set(errorsIn(`${folder}/program.ts`, broken).map((error) => error.split(' ')[0]))
      expect(lines.size).toBe(PROGRAM.split('@ts-expect-error').length - 1)
    })
  })
}

/** The errors of one program that stands in a folder by name alone. */
function errorsIn(path: string, text: string): string[] {
  const root = new URL('../../../', import.meta.url).pathname
  const read = (file: string) => (file === path ? text : undefined)
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (file) => readFileSync(file, 'utf8'))
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root)
  const own = { ...options, noUnusedLocals: false, typeRoots: [`${root}node_modules/@types`] }
  const host = ts.createCompilerHost(own)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (file) => file === path || fileExists(file)
  host.readFile = (file) => read(file) ?? readFile(file)
  host.getSourceFile = (file, version, ...rest) =>
    file === path ? ts.createSourceFile(file, text, version, true) : getSourceFile(file, version, ...rest)
  const compiled = ts.createProgram([path], own, host)
  const source = compiled.getSourceFile(path)
  return [...compiled.getSyntacticDiagnostics(source), ...compiled.getSemanticDiagnostics(source)].map(
    ({ messageText, start = 0 }) =>
      `${source?.getLineAndCharacterOfPosition(start).line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
  )
}
