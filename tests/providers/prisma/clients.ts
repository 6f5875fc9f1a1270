import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** A Prisma that the tests run against, in a folder of its own under tests/components. */
export interface PrismaVersion {
  readonly name: string
  readonly folder: string
  /** How to get it, when it is missing. */
  readonly missing: string | undefined
}

export const PRISMA_VERSIONS: readonly PrismaVersion[] = [
  version('Prisma 6', 'prisma6', 'generated/index.js'),
  version('Prisma 7', 'prisma7', 'generated/client.ts'),
]

/** A Prisma client; its types are generated, so that the compiler does not know them here. */
// biome-ignore lint/suspicious/noExplicitAny: generated for each schema
export type AnyPrisma = any

/** A client of that version on a PostgreSQL, through its driver adapter. */
export async function openPrisma({ folder }: PrismaVersion, connectionString: string): Promise<AnyPrisma> {
  const entry = folder.endsWith('prisma6') ? 'generated/index.js' : 'generated/client.ts'
  const { PrismaClient } = await import(pathToFileURL(`${folder}/${entry}`).href)
  const { PrismaPg } = createRequire(`${folder}/package.json`)('@prisma/adapter-pg')
  return new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
}

/** Where prisma-field-encryption is, with the last Prisma that it names as supported. */
export const FIELD_ENCRYPTION_FOLDER = fileURLToPath(
  new URL('../../components/prisma-field-encryption/', import.meta.url),
)

/**
 * A client of Prisma 6.15, without and with prisma-field-encryption. It is given the DMMF that Prisma gave it in older days.
 *
 * @returns how to get it, when it is missing
 */
export async function openFieldEncryption(
  connectionString: string,
  encryptionKey: string,
  decryptionKeys: readonly string[] = [],
): Promise<{ plain: AnyPrisma; db: AnyPrisma } | string> {
  const load = createRequire(`${FIELD_ENCRYPTION_FOLDER}package.json`)
  if (!existsSync(`${FIELD_ENCRYPTION_FOLDER}generated/index.js`)) {
    return 'run .ci/components, which makes prisma-field-encryption'
  }
  const schema = await readFile(`${FIELD_ENCRYPTION_FOLDER}schema.prisma`, 'utf8')
  const dmmf = await load('@prisma/internals').getDMMF({ datamodel: schema })
  const { PrismaPg } = load('@prisma/adapter-pg')
  const plain = new (load('./generated/index.js').PrismaClient)({ adapter: new PrismaPg({ connectionString }) })
  const { fieldEncryptionExtension } = load('prisma-field-encryption')
  return { plain, db: plain.$extends(fieldEncryptionExtension({ encryptionKey, decryptionKeys, dmmf })) }
}

function version(name: string, component: string, entry: string): PrismaVersion {
  const folder = fileURLToPath(new URL(`../../components/${component}`, import.meta.url))
  const missing = existsSync(`${folder}/${entry}`) ? undefined : `run .ci/components, which makes ${component}`
  return { name, folder, missing }
}

/** The models of the tests, the same for every version. */
export const prismaSchema = readFileSync(new URL('../../components/prisma7/schema.prisma', import.meta.url), 'utf8')

/** The tables of the Prisma schemas in tests/components. */
export const TABLES = `
  create table customers (
    id text primary key, "orgId" text not null, status text not null, email text not null, email_index text not null,
    name text not null, name_index text not null, "birthDate" text not null, visits text not null, rating text not null,
    balance text not null, vip text not null, photo bytea not null, notes text not null, nickname text,
    person_index text not null, unique ("orgId", email_index));
  create table orders (
    id integer primary key, "orgId" text not null, "customerId" text not null references customers, memo text not null,
    amount text not null);
  create sequence order_ids;
  create table tags (id serial primary key, label text not null unique);
  create table "_CustomerToTag" ("A" text not null references customers on delete cascade,
    "B" integer not null references tags on delete cascade, primary key ("A", "B"));
  create table members (
    id text primary key, email text not null unique, email_index text not null unique, phone text, phone_last4 text,
    role text not null, logins integer not null default 0, "invitedById" text references members);
  create table secrets (id text primary key, "memberId" text not null references members, body text not null);
`
