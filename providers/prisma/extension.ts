import { assertObject, describe } from '../../src/bytes.ts'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import type { RowId } from '../../src/records/record-types.ts'
import type { PrismaModels, StrongroomPrisma } from './extension-types.ts'
import { Models, type Values } from './models.ts'
import { runOperation } from './operations.ts'
import { OwnSql } from './own-sql.ts'
import type { PrismaRelations } from './relations.ts'
import type { PrismaTables } from './tables.ts'
import { updateEach } from './update-each.ts'

/** How Prisma is to encrypt. */
export interface StrongroomPrismaOptions<Schemas extends PrismaModels> {
  /** The record of each model that has encrypted columns, by the model's name: `{ User: users }`. */
  readonly models: Schemas
  /** From `prismaRelations(schema)`. Without it, queries that go through a relation are refused. */
  readonly relations?: PrismaRelations
  /** From `prismaTables(schema)`. Without it, SQL of your own that reads or writes any table is refused. */
  readonly tables?: PrismaTables
  /** Makes the id of a new row that has none: `{ User: uuidv7 }`. */
  readonly ids?: { readonly [Name in keyof Schemas]?: () => RowId }
  /** The tenant of the work at hand, for example from an `AsyncLocalStorage`; it is added to every `where` and every new row that says none. */
  readonly tenant?: () => RowId | undefined
}

/** What is needed of a Strongroom. */
export interface RoomWithRecords {
  readonly records: object
}

/** The clients that encrypt: a second extension around one would encrypt what the first one encrypted. */
const encrypting = new WeakSet<object>()

/**
 * A Prisma Client extension that encrypts columns as the records say. Keys are loaded as they are needed.
 *
 * @param room an open Strongroom, whose `records` hold those of the models
 * @returns what `prisma.$extends` takes; use the client that it returns, and not the one it was called on
 * @throws InvalidInputError when the options are wrong; `$extends` throws ConfigError when the Prisma schema does not fit
 */
export function strongroomPrisma<const Schemas extends PrismaModels>(
  room: RoomWithRecords,
  options: StrongroomPrismaOptions<Schemas>,
): StrongroomPrisma<Schemas> {
  assertObject(options, 'the options of strongroomPrisma')
  assertObject(options.models, 'models')
  for (const name of ['tenant', ...Object.keys(options.ids ?? {})]) {
    const given = name === 'tenant' ? options.tenant : options.ids?.[name]
    if (given !== undefined && typeof given !== 'function') {
      throw new InvalidInputError(`${name} must be a function, received ${describe(given)}`)
    }
  }
  const names = Object.keys(options.models)
  if (names.length === 0) throw new ConfigError('models is empty: name the model of each record, as `{ User: users }`')
  const extend: StrongroomPrisma<Schemas> = (client) => {
    if (encrypting.has(client)) {
      throw new ConfigError('this Prisma client is encrypted already: give all `models` to one strongroomPrisma')
    }
    const models = new Models(client, room.records, options)
    const ownSql = new OwnSql(models, names, options.tables)
    const extensible = client as Extending
    const first = extensible.$extends({
      name: 'strongroom',
      query: {
        $allOperations: async ({ model, operation, args, query }: HookCall) => {
          if (model !== undefined) {
            return runOperation({ models, model: models.get(model), operation, args: (args as Values) ?? {}, query })
          }
          ownSql.assert(operation, args)
          return query(args)
        },
      },
    })
    const methods = names.map((name) => [uncapitalized(name), { updateEach: updateEach(models.get(name)) }])
    // A second extension, because the `$parent` of a method is the client before it, and that must encrypt as well.
    const extended = first.$extends({
      name: 'strongroom-methods',
      model: Object.fromEntries(methods),
      // Extensions that come later stand nearer to the database: theirs go before, so that what they write is encrypted.
      client: { $extends: (later: unknown) => extend(extensible.$extends(later)) },
    })
    encrypting.add(extended)
    return extended as unknown as ReturnType<StrongroomPrisma<Schemas>>
  }
  return extend
}

/** A client as it is worked with here: its own types are generated for each schema. */
interface Extending {
  $extends(extension: unknown): Extending
}

interface HookCall {
  /** Undefined for SQL of the application. */
  readonly model: string | undefined
  readonly operation: string
  readonly args: unknown
  readonly query: (args: unknown) => Promise<unknown>
}

function uncapitalized(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}
