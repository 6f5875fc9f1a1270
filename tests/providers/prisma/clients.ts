import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { MARIADB_MISSING } from '../../fixtures/mariadb.ts'
import { BETTER_SQLITE3_MISSING, SQLITE_COMPONENT } from '../../fixtures/sqlite.ts'

/** A Prisma that the tests run against, in a folder of its own under tests/components. */
export interface PrismaVersion {
  readonly name: string
  readonly folder: string
  /** The file of a generated client that is imported. */
  readonly entry: string
  /** How to get it, when its client for PostgreSQL is missing. */
  readonly missing: string | undefined
  /** The same for its clients for other databases. */
  readonly missingOn: { readonly mysql: string | undefined; readonly sqlite: string | undefined }
}

export const PRISMA_VERSIONS: readonly PrismaVersion[] = [
  version('Prisma 6', 'prisma6', 'index.js'),
  version('Prisma 7', 'prisma7', 'client.ts'),
]

/** A Prisma client; its types are generated, so that the compiler does not know them here. */
// biome-ignore lint/suspicious/noExplicitAny: generated for each schema
export type AnyPrisma = any

/** A client of that version, through the driver adapter that the scheme of the URL asks for. */
export async function openPrisma(
  { folder, entry }: PrismaVersion,
  url: string,
  options: object = {},
): Promise<AnyPrisma> {
  const open = async (generated: string, adapter: unknown) => {
    const { PrismaClient } = await import(pathToFileURL(`${folder}/${generated}/${entry}`).href)
    return new PrismaClient({ ...options, adapter })
  }
  const load = createRequire(`${folder}/package.json`)
  if (url.startsWith('postgres')) {
    const { PrismaPg } = load('@prisma/adapter-pg')
    return open('generated', new PrismaPg({ connectionString: url }))
  }
  if (url.startsWith('mysql')) {
    const { PrismaMariaDb } = load('@prisma/adapter-mariadb')
    const { hostname: host, port, username: user, password, pathname } = new URL(url)
    const server = { host, port: Number(port), user, password, database: pathname.slice(1) }
    // Its pool would go on filling itself up to ten connections behind the last test, and reject where nobody listens.
    return open('generated-mysql', new PrismaMariaDb({ ...server, minimumIdle: 1 }))
  }
  const isSix = folder.endsWith('prisma6')
  const adapters = createRequire(SQLITE_COMPONENT)(`${isSix ? 'prisma6-' : '@prisma/'}adapter-better-sqlite3`)
  const Adapter = isSix ? adapters.PrismaBetterSQLite3 : adapters.PrismaBetterSqlite3
  return open('generated-sqlite', new Adapter({ url }))
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
  const missing = (generated: string) =>
    existsSync(`${folder}/${generated}/${entry}`) ? undefined : `run .ci/components, which makes ${component}`
  return {
    name,
    folder,
    entry,
    missing: missing('generated'),
    missingOn: {
      mysql: MARIADB_MISSING ?? missing('generated-mysql'),
      sqlite: BETTER_SQLITE3_MISSING ?? missing('generated-sqlite'),
    },
  }
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
