import type { AnnotatedModel, EncryptedField, HashColumn } from './prisma-annotations.ts'

const STEPS: Readonly<Record<string, string>> = {
  lowercase: '.toLowerCase()',
  uppercase: '.toUpperCase()',
  trim: '.trim()',
  spaces: String.raw`.replace(/\s/g, '')`,
  diacritics: String.raw`.normalize('NFD').replace(/[\u0300-\u036f]/g, '')`,
}

/** The code of a configuration for what `prisma-field-encryption` encrypted: records, migrations and models. */
export function prismaCode(models: readonly AnnotatedModel[]): string {
  const transforms = models.flatMap(transformsOf)
  const imports = ['cloakFormat', 'defineMigration', 'defineRecord', 'text']
  if (transforms.length > 0) imports.splice(3, 0, 'type OwnTransform')
  const list = (entries: readonly string[]) => `{ ${entries.join(', ')} }`
  return [
    `import { ${imports.join(', ')} } from 'strongroom'`,
    '',
    '// The key that writes first, then those of PRISMA_FIELD_DECRYPTION_KEYS.',
    "const { PRISMA_FIELD_ENCRYPTION_KEY = '', PRISMA_FIELD_DECRYPTION_KEYS = '' } = process.env",
    'const keys = [PRISMA_FIELD_ENCRYPTION_KEY, ...PRISMA_FIELD_DECRYPTION_KEYS.split(",")].filter((key) => key !== "")'.replaceAll(
      '"',
      "'",
    ),
    '',
    ...transforms,
    ...models.flatMap(modelCode),
    '// For defineStrongroom; `tables` needs an entry for each as well.',
    `export const records = ${list(models.map(({ name }) => variable(name)))}`,
    `export const migrations = ${list(models.map(({ name }) => `${variable(name)}: ${variable(name)}Migration`))}`,
    '// For strongroomPrisma, once the columns hold what Strongroom encrypted.',
    `export const models = ${list(models.map(({ name }) => `${name}: ${variable(name)}`))}`,
  ].join('\n')
}

/** The column that takes the place of a hash column. */
export function indexColumn(field: string): string {
  return `${field}_index`
}

function transformsOf({ name, fields }: AnnotatedModel): string[] {
  return fields.flatMap(({ name: field, hash }) => {
    if (hash === undefined || hash.normalize.length === 0) return []
    const steps = hash.normalize.map((step) => STEPS[step]).join('')
    return [
      `const ${transformName(name, field)}: OwnTransform<string> = {`,
      `  id: '${kebab(name)}-${kebab(field)}-v1',`,
      "  accepts: ['text'],",
      `  apply: (value) => value${steps},`,
      '}',
      '',
    ]
  })
}

function modelCode(model: AnnotatedModel): string[] {
  const { name, table, id, fields, plain } = model
  const ids = id.length === 1 ? `'${id[0]}'` : `[${id.map((column) => `'${column}'`).join(', ')}]`
  const options = [
    `id: ${ids}`,
    ...(plain.length === 0 ? [] : [`plain: [${plain.map((column) => `'${column}'`).join(', ')}]`]),
  ]
  return [
    `/** Table ${table}. Add \`tenant\` or \`subject\` now if rows belong to somebody: it cannot be added later without encrypting again. */`,
    `export const ${variable(name)} = defineRecord(`,
    `  '${table}',`,
    '  {',
    ...fields.map((field) => `    ${field.name}: ${fieldCode(name, field)},`),
    '  },',
    `  { ${options.join(', ')} },`,
    ')',
    `const ${variable(name)}Migration = defineMigration(${variable(name)}, {`,
    '  columns: {',
    ...fields.map((field) => `    ${field.name}: ${columnCode(field)},`),
    '  },',
    '})',
    '',
  ]
}

function fieldCode(model: string, { name, optional, hash }: EncryptedField): string {
  const options: string[] = []
  if (optional) options.push("nullable: 'visible'")
  if (hash !== undefined) options.push(`index: ${indexCode(model, name, optional, hash)}`)
  return options.length === 0 ? 'text()' : `text({ ${options.join(', ')} })`
}

function indexCode(model: string, field: string, optional: boolean, { unique, normalize }: HashColumn): string {
  const options = [`column: '${indexColumn(field)}'`]
  if (normalize.length > 0) options.push(`transform: ${transformName(model, field)}`)
  options.push(unique ? 'unique: true' : 'rows: 1_000_000')
  if (optional) options.push("nulls: 'null'")
  return `{ ${options.join(', ')} }`
}

function columnCode({ name, mode }: EncryptedField): string {
  const plaintext = mode === 'strict' ? '' : ', plaintext: true'
  return `{ from: '${name}', format: cloakFormat({ keys${plaintext} }) }`
}

function variable(model: string): string {
  return model.charAt(0).toLowerCase() + model.slice(1)
}

function transformName(model: string, field: string): string {
  return `${variable(model)}${field.charAt(0).toUpperCase()}${field.slice(1)}Form`
}

function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .toLowerCase()
}
