import { readFile } from 'node:fs/promises'
import { CommandError, type Output } from './output.ts'
import { type AnnotatedModel, readAnnotations } from './prisma-annotations.ts'
import { indexColumn, prismaCode } from './prisma-code.ts'
import type { Command } from './vendor.ts'

/** `strongroom prisma`: what a Prisma schema says. */
export function addPrisma(program: Command, output: Output): void {
  const prisma = program.command('prisma').description('Read a Prisma schema.')
  prisma
    .command('import')
    .description('Print the records and migrations for the annotations of prisma-field-encryption.')
    .argument('<schema...>', 'schema.prisma, or several schema files')
    .option('--json', 'print what was read for programs')
    .action(async (paths: string[], { json }: { json?: true }) => {
      const models = readAnnotations((await Promise.all(paths.map(readSchema))).join('\n'))
      if (models.length === 0) throw new CommandError('no field of this schema is annotated `/// @encrypted`')
      if (json) return output.json(models)
      output.result(prismaCode(models))
      for (const model of models) advise(model, output)
    })
}

async function readSchema(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CommandError(`${path} cannot be read`, { exitCode: 2, cause: error })
  }
}

/** What has to be done to the Prisma schema, and what cannot be seen in it. */
function advise({ name, fields, id, isIdMade, mapped }: AnnotatedModel, output: Output): void {
  const hashes = fields.flatMap(({ name: field, optional, hash }) =>
    hash === undefined ? [] : [{ field, optional, ...hash }],
  )
  for (const { field, optional, column, unique } of hashes) {
    output.say(
      `${name}: ${indexColumn(field)} String${optional ? '?' : ''}${unique ? ' @unique' : ''} takes the place of ${column}, which shows equal values to everybody`,
    )
    if (!unique) output.hint(`set the \`rows\` of ${indexColumn(field)} to how many you expect`)
  }
  for (const { name: field, mode } of fields) {
    if (mode === 'readonly')
      output.say(`${name}.${field} was read-only: what was written since is plaintext, and will be encrypted`)
  }
  if (id.length === 0) output.say(`${name} has no @id: values cannot be bound to their rows; give it one`)
  if (isIdMade)
    output.hint(
      `${name}.${id.join(', ')} is made while a row is written, and values are bound to it: see \`ids\` of strongroomPrisma`,
    )
  if (mapped.length > 0)
    output.hint(`${name}: take @map from ${mapped.join(', ')}, so that Prisma and the command line use one name`)
}
