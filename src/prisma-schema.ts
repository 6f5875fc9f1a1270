/** A field of a model in a `schema.prisma`. */
export interface PrismaField {
  readonly name: string
  /** `String`, `DateTime`, an enum or another model. */
  readonly type: string
  readonly list: boolean
  readonly optional: boolean
  /** Everything behind the type: `@id @default(uuid())`. */
  readonly attributes: string
  /** What the `///` comments above and behind the field say. */
  readonly documentation: string
}

/** A model in a `schema.prisma`. */
export interface PrismaModel {
  readonly name: string
  readonly fields: readonly PrismaField[]
  /** The lines that begin with `@@`. */
  readonly attributes: readonly string[]
}

/**
 * Reads the models of a Prisma schema. Only what stands in the text: nothing is validated, as `prisma validate` does that.
 *
 * @param text of `schema.prisma`, or of several schema files one after the other
 */
export function parsePrismaSchema(text: string): PrismaModel[] {
  const models: PrismaModel[] = []
  let open: { name: string; fields: PrismaField[]; attributes: string[] } | undefined
  let depth = 0
  let notes: string[] = []
  for (const line of text.split(/\r?\n/)) {
    const { code, note } = splitComment(line)
    if (code === '') {
      if (note !== undefined) notes.push(note)
      continue
    }
    if (open === undefined && depth === 0) {
      const name = /^model\s+(\w+)\s*\{$/.exec(code)?.[1]
      if (name !== undefined) open = { name, fields: [], attributes: [] }
      else if (code.endsWith('{')) depth = 1
    } else if (code === '}') {
      if (open !== undefined) models.push(open)
      open = undefined
      depth = 0
    } else if (open !== undefined) {
      if (code.startsWith('@@')) open.attributes.push(code)
      else open.fields.push(...fieldOf(code, note === undefined ? notes : [...notes, note]))
    }
    notes = []
  }
  return models
}

/** The names in a list of an attribute: `fields` of `@relation(fields: [a, b])`. */
export function namesIn(attribute: string, argument: string): string[] {
  const list = new RegExp(`${argument}\\s*:\\s*\\[([^\\]]*)\\]`).exec(attribute)?.[1]
  return list === undefined ? [] : words(list)
}

/** The columns of the primary key, in order; empty when the model has none. */
export function primaryKey({ fields, attributes }: PrismaModel): string[] {
  const single = fields.find((field) => /@id\b/.test(field.attributes))
  if (single !== undefined) return [single.name]
  const compound = attributes.find((line) => line.startsWith('@@id'))
  return compound === undefined ? [] : words(/\[([^\]]*)\]/.exec(compound)?.[1] ?? '')
}

/** The name that a field or model has in the database. */
export function mappedName(attributes: string, name: string): string {
  return /@map\(\s*(?:name\s*:\s*)?"([^"]+)"/.exec(attributes)?.[1] ?? name
}

function words(list: string): string[] {
  return list
    .split(',')
    .map((word) => word.trim().replace(/\(.*$/, ''))
    .filter((word) => word !== '')
}

function fieldOf(code: string, notes: readonly string[]): PrismaField[] {
  const [, name, type, mark = '', attributes = ''] =
    /^(\w+)\s+([\w.]+(?:\("[^"]*"\))?)(\[\]|\?)?\s*(.*)$/.exec(code) ?? []
  if (name === undefined || type === undefined) return []
  return [{ name, type, list: mark === '[]', optional: mark === '?', attributes, documentation: notes.join('\n') }]
}

/** A line without its comment, and what a `///` comment says; `//` in a string is no comment. */
function splitComment(line: string): { code: string; note?: string } {
  const comment = /^((?:[^"/]|"(?:\\.|[^"\\])*"|\/(?!\/))*)(\/\/\/?)(.*)$/.exec(line)
  if (comment === null) return { code: line.trim() }
  const [, code = '', mark, note = ''] = comment
  return mark === '///' ? { code: code.trim(), note: note.trim() } : { code: code.trim() }
}
