import { assertText } from '../../src/bytes.ts'
import { namesIn, type PrismaField, type PrismaModel, parsePrismaSchema } from '../../src/prisma-schema.ts'

/** Where a relation leads, and which columns it fills. */
export interface PrismaRelation {
  /** The other model. */
  readonly model: string
  /** Columns of this model that hold columns of the other: `{ authorId: 'id' }`. */
  readonly here?: Readonly<Record<string, string>>
  /** Columns of the other model that hold columns of this one. */
  readonly there?: Readonly<Record<string, string>>
}

/** The relations of every model, by the names they have in the Prisma schema. A plain value: keep it as JSON where no file can be read. */
export type PrismaRelations = Readonly<Record<string, Readonly<Record<string, PrismaRelation>>>>

/**
 * Reads the relations of a Prisma schema, which Prisma does not tell extensions.
 *
 * @param schema the text of `schema.prisma`, or of several schema files one after the other
 * @throws InvalidInputError when it is no text
 */
export function prismaRelations(schema: string): PrismaRelations {
  assertText(schema, 'the Prisma schema')
  const models = new Map(parsePrismaSchema(schema).map((model) => [model.name, model]))
  const relationsOf = (model: PrismaModel) =>
    model.fields.flatMap((field): [string, PrismaRelation][] => {
      const other = models.get(field.type)
      return other === undefined ? [] : [[field.name, relationOf(model, field, other)]]
    })
  return Object.fromEntries([...models.values()].map((model) => [model.name, Object.fromEntries(relationsOf(model))]))
}

function relationOf(model: PrismaModel, field: PrismaField, other: PrismaModel): PrismaRelation {
  const here = columnsOf(field)
  if (here !== undefined) return { model: other.name, here }
  const back = other.fields.find(
    (candidate) =>
      candidate.type === model.name &&
      nameOf(candidate) === nameOf(field) &&
      (other !== model || candidate.name !== field.name),
  )
  const there = back && columnsOf(back)
  return there === undefined ? { model: other.name } : { model: other.name, there }
}

function columnsOf({ attributes }: PrismaField): Record<string, string> | undefined {
  const relation = /@relation\((.*)\)/.exec(attributes)?.[1] ?? ''
  const fields = namesIn(relation, 'fields')
  const references = namesIn(relation, 'references')
  if (fields.length === 0) return undefined
  return Object.fromEntries(fields.map((field, at) => [field, references[at] as string]))
}

function nameOf({ attributes }: PrismaField): string | undefined {
  return /@relation\(\s*(?:[^)]*name\s*:\s*)?"([^"]+)"/.exec(attributes)?.[1]
}
