import type { Logger } from 'drizzle-orm'
import { assertArray, assertMethods } from '../../src/bytes.ts'
import type { AnyEncryptedTable } from './nested.ts'

/**
 * A logger for `drizzle(pool, { logger })` that reads every statement before it runs, SQL of your own as well. It refuses what
 * writes an encrypted column with anything but a ciphertext, changes what values are bound to, or has the database compare,
 * order or calculate with ciphertexts. A refusal is an InvalidInputError from the query.
 *
 * @param tables made with `encryptedTable`
 * @param logger is told of the statements that may run
 * @throws InvalidInputError for what is no such table, or no logger
 */
export function guardedLogger(tables: readonly AnyEncryptedTable[], logger?: Logger): Logger {
  assertArray(tables, 'tables')
  for (const table of tables) assertMethods(table, ['assertQuery'], 'a table, made with encryptedTable,')
  if (logger !== undefined) assertMethods(logger, ['logQuery'], 'logger')
  return {
    logQuery(sql, parameters) {
      for (const table of tables) table.assertQuery(sql, parameters)
      logger?.logQuery(sql, parameters)
    },
  }
}
