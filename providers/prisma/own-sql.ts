import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { assertLegibleNames } from '../../src/mapping/legible-names.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import type { NamedTable } from '../../src/mapping/query-text.ts'
import { assertStatement } from '../../src/mapping/statement-text.ts'
import type { Models } from './models.ts'
import type { PrismaTables } from './tables.ts'

/** A statement with `$1`, or with the placeholders that the application wrote. */
interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Words without which a statement reads and writes no table. */
const USES_TABLES = /\b(?:from|join|into|update|delete|merge|replace|copy|load|table|call|exec(?:ute)?|do|import)\b/i

/** Reads SQL of the application before it runs. */
export class OwnSql {
  /** Undefined where nobody said what the tables are called. */
  readonly #named: readonly NamedTable[] | undefined

  /** @throws ConfigError when the tables are not those of the models */
  constructor(models: Models, names: readonly string[], tables: PrismaTables | undefined) {
    this.#named = tables && names.map((name) => namedTable(models, name, tables))
  }

  /**
   * Refuses what would write an encrypted column with anything but a ciphertext, change what values are bound to, or have
   * the database compare, order or calculate with ciphertexts.
   *
   * @param operation for example `$queryRaw`
   * @param args as Prisma gives them to extensions
   * @throws InvalidInputError
   */
  assert(operation: string, args: unknown): void {
    const { text, values } = statementOf(operation, args)
    if (this.#named === undefined) {
      if (!USES_TABLES.test(text)) return
      throw new InvalidInputError(
        `${operation}: it is not known here what the tables are called, so it could bypass encryption: give \`tables: prismaTables(schema)\``,
      )
    }
    assertLegibleNames(text)
    const lower = text.toLowerCase()
    for (const named of this.#named) {
      if (!lower.includes(named.table.toLowerCase())) continue
      assertStatement(text, values, named)
    }
  }
}

function namedTable(models: Models, name: string, tables: PrismaTables): NamedTable {
  const { encryption, scalars } = models.get(name)
  const found = Object.hasOwn(tables, name) ? tables[name] : undefined
  if (encryption === undefined || found === undefined) {
    throw new ConfigError(`\`tables\` has no model ${name}: make it of the whole Prisma schema`)
  }
  const missing = [...scalars].find((column) => !Object.hasOwn(found.columns, column))
  if (missing !== undefined)
    throw new ConfigError(`\`tables\` has no ${name}.${missing}: make it of this Prisma schema`)
  const record = new MappedRecord(encryption.cipher as unknown as AnyCipher)
  return { record, table: found.table, columns: new Map(Object.entries(found.columns)), unquoted: true }
}

/** @throws InvalidInputError for an operation that is not known here */
function statementOf(operation: string, args: unknown): Statement {
  const read = Object.hasOwn(STATEMENTS, operation) ? STATEMENTS[operation] : undefined
  const statement = read?.(args)
  if (statement !== undefined) return statement
  throw new InvalidInputError(`${operation} is not known here, so it could bypass encryption`)
}

const STATEMENTS: Readonly<Record<string, (args: unknown) => Statement | undefined>> = {
  $queryRaw: tagged,
  $executeRaw: tagged,
  $queryRawUnsafe: listed,
  $executeRawUnsafe: listed,
  $queryRawTyped: typed,
}

/** What `Prisma.sql` makes: the text between the values. */
function tagged(args: unknown): Statement | undefined {
  const { strings, values } = args as { strings?: unknown; values?: unknown }
  if (!Array.isArray(strings) || !Array.isArray(values) || !strings.every((part) => typeof part === 'string'))
    return undefined
  return { text: strings.reduce((text, part, at) => `${text}$${at}${part}`), values }
}

function listed(args: unknown): Statement | undefined {
  if (!Array.isArray(args)) return undefined
  const [text, ...values] = args as unknown[]
  return typeof text === 'string' ? { text, values } : undefined
}

/** TypedSQL. */
function typed(args: unknown): Statement | undefined {
  const { sql: text, values } = args as { sql?: unknown; values?: unknown }
  return typeof text === 'string' && Array.isArray(values) ? { text, values } : undefined
}
