import type { AnyRecord, FieldName, FieldValue } from '../../src/records/record-types.ts'

/** Records by the names of the models in the Prisma schema. */
export type PrismaModels = Readonly<Record<string, AnyRecord>>

/** Encrypted columns in results, as fields that Prisma's own types take for computed: they come back as their real types. */
type Results<Models extends PrismaModels> = {
  [Name in keyof Models & string as Uncapitalize<Name>]: {
    [Field in FieldName<Models[Name]>]: () => {
      needs: Record<never, never>
      compute: () => FieldValue<Models[Name], Field>
    }
  }
}

/** The arguments of an operation, in the form in which Prisma keeps them with a model. */
type Arguments<Delegate, Operation extends string> = Delegate extends {
  readonly [key: symbol]: { types: { operations: { readonly [Name in Operation]: { args: infer Args } } } }
}
  ? Args
  : { readonly where?: unknown; readonly data: unknown }

/** Of the transaction that `updateEach` opens where it is called in none, as `prisma.$transaction` takes them, in milliseconds. */
export interface UpdateEachOptions {
  /** ms that it may take. Prisma's default is 5,000: some thousand rows. */
  readonly timeout?: number
  /** ms that it waits for a connection. Prisma's default is 2,000. */
  readonly maxWait?: number
}

/** What the extension adds to the models that have encrypted columns. */
export interface ModelMethods {
  /**
   * Changes encrypted columns of many rows, each under its own id: reads the ids, then updates row by row. One transaction,
   * or part of the one that it is called in.
   *
   * @returns how many rows were changed
   * @throws InvalidInputError for a change or a condition that is refused
   */
  updateEach<Delegate>(
    this: Delegate,
    args: Pick<
      Arguments<Delegate, 'updateMany'>,
      ('where' & keyof Arguments<Delegate, 'updateMany'>) | ('data' & keyof Arguments<Delegate, 'updateMany'>)
    >,
    options?: UpdateEachOptions,
  ): Promise<{ count: number }>
}

type Methods<Models extends PrismaModels> = {
  [Name in keyof Models & string as Uncapitalize<Name>]: { [Method in keyof ModelMethods]: () => ModelMethods[Method] }
}

/** A Prisma Client extension, for `prisma.$extends(…)`. */
export type StrongroomPrisma<Models extends PrismaModels> = (client: ExtensibleClient) => {
  $extends: {
    extArgs: {
      result: Results<Models>
      model: Methods<Models>
      query: Record<never, never>
      client: Record<never, never>
    }
  }
}

/** The part of a Prisma client that an extension works on. */
export interface ExtensibleClient {
  readonly $extends: unknown
}
