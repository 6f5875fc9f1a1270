import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)

describe('the public names', () => {
  // A name that is gone breaks somebody's build. After a change that is meant, write the list again with
  // `npx vitest run tests/architecture/public-names.test.ts -u`, and say in the changelog what went.
  test('are those in the list', async () => {
    const entries = new Map([['strongroom', 'src/index.ts']])
    for (const name of readdirSync(new URL('providers', root)).sort()) {
      entries.set(
        `strongroom/${name.replace(/\.ts$/, '')}`,
        `providers/${name}${name.endsWith('.ts') ? '' : '/index.ts'}`,
      )
    }
    const lines = [...entries].flatMap(([subpath, file]) => exportsOf(file).map((name) => `${subpath} ${name}`))
    expect(lines.length).toBeGreaterThan(100)
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('public-names.txt')
  })

  test('are named one by one', () => {
    expect(() => exportedBy("export * from './x.ts'")).toThrow('export *')
    const source = "export { a, type B, c as d } from './x.ts'\nexport type { E } from './y.ts'\nexport function f() {}"
    expect(exportedBy(source)).toEqual(['E (type)', 'B (type)', 'a', 'd', 'f'].sort())
  })
})

function exportsOf(file: string): string[] {
  return exportedBy(readFileSync(new URL(file, root), 'utf8'))
}

function exportedBy(text: string): string[] {
  const names: string[] = []
  for (const statement of ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest).statements) {
    if (ts.isExportDeclaration(statement)) names.push(...listed(statement))
    else if (isExported(statement)) names.push(...declared(statement))
  }
  return names.sort()
}

function listed(statement: ts.ExportDeclaration): string[] {
  if (statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) {
    throw new Error('export * hides what is public')
  }
  return statement.exportClause.elements.map(({ name, isTypeOnly }) =>
    isTypeOnly || statement.isTypeOnly ? `${name.text} (type)` : name.text,
  )
}

function declared(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => (name as ts.Identifier).text)
  }
  const { name } = statement as ts.FunctionDeclaration | ts.ClassDeclaration | ts.InterfaceDeclaration
  const isType = ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)
  return name === undefined ? ['default'] : [isType ? `${name.text} (type)` : name.text]
}

function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
  )
}
