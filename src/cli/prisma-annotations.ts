import { ConfigError } from '../errors.ts'
import { mappedName, type PrismaField, type PrismaModel, parsePrismaSchema, primaryKey } from '../prisma-schema.ts'

/** A hash column of `prisma-field-encryption`. */
export interface HashColumn {
  readonly column: string
  readonly unique: boolean
  /** What was done to a text before it was hashed. */
  readonly normalize: readonly string[]
}

/** A field annotated `@encrypted`. */
export interface EncryptedField {
  readonly name: string
  readonly optional: boolean
  readonly mode: 'default' | 'strict' | 'readonly'
  readonly hash: HashColumn | undefined
}

/** A model with annotated fields. */
export interface AnnotatedModel {
  readonly name: string
  /** The name of its table. */
  readonly table: string
  readonly id: readonly string[]
  /** Whether the id is made by the database, or by Prisma, when a row is written. */
  readonly isIdMade: boolean
  readonly fields: readonly EncryptedField[]
  /** Columns in which nothing is encrypted and that are no id. */
  readonly plain: readonly string[]
  /** Fields whose column has another name. */
  readonly mapped: readonly string[]
}

const ENCRYPTED = /@encrypted(?<query>\?[\w=&]+)?/
const HASH = /@encryption:hash\((?<source>\w+)\)(?<query>\?[\w=&]+)?/
/** In the order in which they were applied. */
const NORMALIZE = ['lowercase', 'uppercase', 'trim', 'spaces', 'diacritics']

/**
 * Reads the annotations of `prisma-field-encryption` in a Prisma schema.
 *
 * @throws ConfigError when an annotation stands where that package did not take it either
 */
export function readAnnotations(schema: string): AnnotatedModel[] {
  const models = parsePrismaSchema(schema)
  const names = new Set(models.map(({ name }) => name))
  return models.filter(({ fields }) => fields.some(isAnnotated)).map((model) => annotated(model, names))
}

function isAnnotated({ documentation }: PrismaField): boolean {
  return ENCRYPTED.test(documentation) || HASH.test(documentation)
}

function annotated(model: PrismaModel, models: ReadonlySet<string>): AnnotatedModel {
  const columns = model.fields.filter(({ type }) => !models.has(type))
  const hashes = columns.filter(({ documentation }) => HASH.test(documentation))
  const encrypted = columns.filter((field) => ENCRYPTED.test(field.documentation) && !hashes.includes(field))
  for (const field of [...encrypted, ...hashes]) {
    if (field.type !== 'String' || field.list) {
      throw new ConfigError(`${model.name}.${field.name} is annotated and no String: only those were encrypted`)
    }
  }
  for (const field of hashes) {
    const source = sourceOf(field)
    if (!encrypted.some(({ name }) => name === source)) {
      throw new ConfigError(`${model.name}.${field.name} is the hash of ${source}, which is not annotated @encrypted`)
    }
  }
  const id = primaryKey(model)
  const special = new Set([...id, ...encrypted.map(({ name }) => name), ...hashes.map(({ name }) => name)])
  return {
    name: model.name,
    table: mappedName(model.attributes.find((line) => line.startsWith('@@map')) ?? '', model.name),
    id,
    isIdMade: columns.some(
      ({ name, attributes }) =>
        id.includes(name) && /@default\(\s*(autoincrement|dbgenerated|sequence|uuid|cuid|ulid|nanoid)/.test(attributes),
    ),
    fields: encrypted.map((field) =>
      fieldOf(
        model,
        field,
        hashes.find((hash) => sourceOf(hash) === field.name),
      ),
    ),
    plain: columns.map(({ name }) => name).filter((name) => !special.has(name)),
    mapped: columns
      .filter(({ name, attributes }) => special.has(name) && mappedName(attributes, name) !== name)
      .map(({ name }) => name)
      .filter((name) => !hashes.some((hash) => hash.name === name)),
  }
}

function fieldOf(
  model: PrismaModel,
  { name, optional, documentation }: PrismaField,
  hash?: PrismaField,
): EncryptedField {
  const query = queryOf(ENCRYPTED, documentation)
  const mode = query.get('mode') ?? (query.has('readonly') ? 'readonly' : query.has('strict') ? 'strict' : 'default')
  if (mode !== 'default' && mode !== 'strict' && mode !== 'readonly') {
    throw new ConfigError(`${model.name}.${name} has the unknown mode ${mode}`)
  }
  return { name, optional, mode, hash: hash && hashOf(model, hash) }
}

function hashOf(
  { name: model, attributes: lines }: PrismaModel,
  { name, attributes, documentation }: PrismaField,
): HashColumn {
  const query = queryOf(HASH, documentation)
  const encoding = query.get('inputEncoding') ?? 'utf8'
  if (encoding !== 'utf8') {
    throw new ConfigError(
      `${model}.${name} hashes ${encoding} and no text: declare its index by hand, with a transform of your own`,
    )
  }
  const normalize = query.getAll('normalize')
  const unknown = normalize.find((step) => !NORMALIZE.includes(step))
  if (unknown !== undefined) throw new ConfigError(`${model}.${name} has the unknown normalization ${unknown}`)
  const unique =
    /@unique\b/.test(attributes) ||
    lines.some((line) => line.startsWith('@@unique') && new RegExp(`\\b${name}\\b`).test(line))
  return { column: name, unique, normalize: NORMALIZE.filter((step) => normalize.includes(step)) }
}

function sourceOf({ documentation }: PrismaField): string | undefined {
  return HASH.exec(documentation)?.groups?.source
}

function queryOf(annotation: RegExp, documentation: string): URLSearchParams {
  return new URLSearchParams(annotation.exec(documentation)?.groups?.query ?? '')
}
