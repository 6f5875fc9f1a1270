import { InvalidInputError } from '../errors.ts'
import { type Backslash, sqlText } from './sql-text.ts'

const ESCAPED = /(?<![\w$])u&"/i
const IN_LITERAL = /\.\s*'/

/**
 * Refuses a statement with names that cannot be read: PostgreSQL takes them by the numbers of their characters, `U&"\0065mail"`,
 * and SQLite behind a dot like a literal, `customers.'email'`. Any table and column could be meant.
 *
 * @throws InvalidInputError
 */
export function assertLegibleNames(text: string, backslash?: Backslash): void {
  // Nearly no statement has the rarest character of either; a search for one is much faster than an expression.
  const mayBeEscaped = text.includes('&"') && ESCAPED.test(text)
  if (!mayBeEscaped && !(text.includes('.') && IN_LITERAL.test(text))) return
  const bare = sqlText(text, backslash)?.bare
  if (!ESCAPED.test(bare ?? text) && (bare === undefined || !IN_LITERAL.test(bare))) return
  throw new InvalidInputError(
    `a statement with a name as U&"…", or in single quotes, could be about any table: write the name as it is, in its ordinary quotes or in none`,
  )
}
