import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

/** What a mapper does otherwise than the suite's other ones: by its name in the suite, in the words of its page. */
export interface Differences {
  /** The page, in docs/providers. */
  readonly page: string
  readonly said: Readonly<Record<string, string>>
}

export const KYSELY_ON_MYSQL: Differences = {
  page: 'kysely',
  said: {
    returning: 'Kysely writes no `returning` for MySQL and MariaDB',
    upsert: 'update, and insert where no row was changed, in one transaction',
  },
}

export const DRIZZLE: Differences = {
  page: 'drizzle',
  said: {
    stream: 'Drizzle has no cursor for PostgreSQL and SQLite: read by pages.',
  },
}

export const DRIZZLE_ON_MYSQL: Differences = {
  page: 'drizzle',
  said: {
    returning: 'Drizzle has no `returning` for MySQL and MariaDB',
    upsert: 'a row of another tenant that has the id makes it fail',
    relations: 'MariaDB has no lateral joins',
  },
}

export const DRIZZLE_ON_SQLITE: Differences = {
  page: 'drizzle',
  said: { ...DRIZZLE.said, transaction: 'A transaction of better-sqlite3 is synchronous, and encryption is not' },
}

export const TYPEORM: Differences = {
  page: 'typeorm',
  said: {
    upsert: 'A row of another tenant that has the id makes it fail',
  },
}

export const TYPEORM_ON_SQLITE: Differences = {
  page: 'typeorm',
  said: { ...TYPEORM.said, stream: 'TypeORM has no stream for SQLite: read by pages.' },
}

export const SEQUELIZE: Differences = {
  page: 'sequelize',
  said: {
    stream: 'Sequelize has no cursors: read large tables in pages by `id`.',
    upsert: 'A row of another tenant that has the id makes it fail',
  },
}

export const PRISMA: Differences = {
  page: 'prisma',
  said: {
    stream: 'Prisma has no cursor that streams',
  },
}

export const PRISMA_ON_MARIADB: Differences = {
  page: 'prisma',
  said: {
    ...PRISMA.said,
    returning: '`createManyAndReturn` and `updateManyAndReturn` do not exist on MySQL and MariaDB',
    raw: 'Prisma 6 cannot read text of a binary collation by `$queryRaw`',
  },
}

/** Holds every difference of an adapter against its page: nothing is left out of the suite without being said to users. */
export function describeDifferences({ page, said }: Differences): void {
  describe('differences', () => {
    const text = readFileSync(new URL(`../../docs/providers/${page}.md`, import.meta.url), 'utf8').replaceAll(
      /\s+/g,
      ' ',
    )
    for (const [name, sentence] of Object.entries(said)) {
      test(`${name}: its page says “${sentence}”`, () => expect(text).toContain(sentence))
    }
  })
}
