import type { DataSource, QueryRunner } from 'typeorm'

/**
 * Remembers the query runners that query builders of a data source make to read with, whatever their replication mode is: right
 * before, they ask for the mode. Versions of TypeORM that have no such question make them with the mode `slave`.
 */
export function watchReaders(dataSource: DataSource): WeakSet<QueryRunner> {
  const readers = new WeakSet<QueryRunner>()
  const { createQueryRunner, defaultReplicationModeForReads } = dataSource
  if (defaultReplicationModeForReads === undefined) return readers
  let isAsked = false
  dataSource.defaultReplicationModeForReads = () => {
    isAsked = true
    queueMicrotask(() => {
      isAsked = false
    })
    return defaultReplicationModeForReads.call(dataSource)
  }
  dataSource.createQueryRunner = (mode) => {
    const runner = createQueryRunner.call(dataSource, mode)
    if (isAsked) readers.add(runner)
    isAsked = false
    return runner
  }
  return readers
}
