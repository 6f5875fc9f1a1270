import { assertText } from '../../src/bytes.ts'
import { mappedName, parsePrismaSchema } from '../../src/prisma-schema.ts'

/** What a model is called in the database. */
export interface PrismaTable {
  readonly table: string
  /** Names of columns by the names that they have in the Prisma schema. */
  readonly columns: Readonly<Record<string, string>>
}

/** The table of every model, by the name it has in the Prisma schema. A plain value: keep it as JSON where no file can be read. */
export type PrismaTables = Readonly<Record<string, PrismaTable>>

/**
 * Reads from a Prisma schema what its models are called in the database (`@@map`, `@map`), which Prisma does not tell extensions.
 *
 * @param schema the text of `schema.prisma`, or of several schema files one after the other
 * @throws InvalidInputError when it is no text
 */
export function prismaTables(schema: string): PrismaTables {
  assertText(schema, 'the schema')
  const models = parsePrismaSchema(schema)
  const relations = new Set(models.map(({ name }) => name))
  return Object.fromEntries(
    models.map(({ name, fields, attributes }) => {
      const own = fields.filter(({ type }) => !relations.has(type))
      const columns = own.map((field) => [field.name, mappedName(field.attributes, field.name)] as const)
      return [name, { table: mappedName(attributes.join('\n'), name), columns: Object.fromEntries(columns) }]
    }),
  )
}
