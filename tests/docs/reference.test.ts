import { expect, test } from 'vitest'
import { createOutput } from '../../src/cli/output.ts'
import { createProgram } from '../../src/cli/program.ts'
import { capture } from '../cli/capture.ts'
import { projectRoot } from './markdown.ts'
import { referenceOf } from './reference.ts'

test('the reference of commands says what the commands say of themselves: `npm run reference` writes it again', async () => {
  const reference = referenceOf(createProgram(createOutput(capture().streams)))
  expect(reference.match(/^## strongroom /gm)?.length).toBeGreaterThan(25)
  await expect(reference).toMatchFileSnapshot(`${projectRoot}docs/commands.md`)
})
