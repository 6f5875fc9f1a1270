import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take half a minute, most of it waiting for processes: begun last, they would keep one core from its end. */
const LONG = [
  'readme',
  'rotation/crash',
  'messages/hostile',
  'sequelize/sequelize',
  'rotation/reencrypt',
  'customer-service',
]

/** Begins with the files that take longest, also in a fresh clone, where nothing tells how long each took before. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
      return at === -1 ? LONG.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
