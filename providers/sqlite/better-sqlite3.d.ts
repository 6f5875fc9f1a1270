/** The part of the package that is used, whose types are in another package. */
declare module 'better-sqlite3' {
  import type { SqliteDatabase } from './database.ts'

  const Database: new (path: string) => SqliteDatabase
  export default Database
}
