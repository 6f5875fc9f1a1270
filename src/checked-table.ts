import {
  assertArray,
  assertBytes,
  assertFilled,
  assertObject,
  assertOneOf,
  assertOptions,
  assertText,
  assertTexts,
  assertWhole,
  describe,
} from './bytes.ts'
import { InvalidInputError } from './errors.ts'
import type { JobProgress, JobStart, JobStore, JobWrite } from './job.ts'
import type { HeadQuery, PageQuery, RowChange, Table, TableChange, TableGuard } from './table.ts'

const MAX_PAGE = 10_000
const MAX_PARTS = 10_000
const MAX_HEAD = 64
const KINDS = ['reencrypt', 'migrate', 'rollback']
const STATES = ['running', 'stopped', 'failed', 'done']
/** What each kind of change names. */
const CHANGES: Readonly<Record<TableChange['kind'], readonly string[]>> = {
  'add-column': ['column'],
  'drop-column': ['column'],
  'allow-null': ['column'],
  'refuse-null': ['column'],
  'add-index': ['index', 'column'],
  'drop-index': ['index'],
  guard: [],
  unguard: ['name'],
  rename: [],
}

/**
 * Has a table, and its jobs, refuse arguments of another kind with InvalidInputError, before the database is asked.
 *
 * @param table changed in place
 */
export function checkedTable<Of extends Table>(table: Of): Of {
  const { page, write, countHeads, splits, changeSql, run, jobs } = table
  const checked: Partial<Table> = {
    async page(query) {
      assertPageQuery(query)
      return page(query)
    },
    async write(changes, job) {
      assertArray(changes, 'changes')
      for (const change of changes) assertChange(change)
      if (job !== undefined) assertJobWrite(job)
      return write(changes, job)
    },
    async countHeads(query) {
      assertHeadQuery(query)
      return countHeads(query)
    },
    async splits(parts) {
      assertWhole(parts, 'parts', 1, MAX_PARTS)
      return splits(parts)
    },
    async changeSql(change) {
      assertTableChange(change)
      return changeSql(change)
    },
    async run(statements) {
      assertTexts(statements, 'statements', assertFilled)
      return run(statements)
    },
    jobs: checkedJobs(jobs),
  }
  return Object.assign(table, checked)
}

function checkedJobs({ sql, create, start, write, list }: JobStore): JobStore {
  return {
    sql,
    create,
    async start(given) {
      assertJobStart(given)
      return start(given)
    },
    async write(job) {
      assertJobWrite(job)
      return write(job)
    },
    async list(query) {
      assertObject(query, 'the query')
      if (query.record !== undefined) assertText(query.record, 'record')
      assertWhole(query.limit, 'limit', 1, Number.MAX_SAFE_INTEGER)
      assertWhole(query.staleMs, 'staleMs', 0, Number.MAX_SAFE_INTEGER)
      return list(query)
    },
  }
}

function assertPageQuery(query: PageQuery): void {
  assertObject(query, 'the query')
  const { columns, texts, after, until, equals, limit } = query
  assertTexts(columns, 'columns', assertFilled)
  if (texts !== undefined) assertTexts(texts, 'texts', assertFilled)
  if (after !== undefined) assertTexts(after, 'after')
  if (until !== undefined) assertTexts(until, 'until')
  assertOptions(equals, 'equals')
  for (const value of Object.values(equals ?? {})) assertText(value, 'each of equals')
  assertWhole(limit, 'limit', 1, MAX_PAGE)
}

function assertChange(change: RowChange): void {
  assertObject(change, 'a change')
  const { key, expected, expectedTexts, set } = change
  assertTexts(key, 'the key of a change')
  for (const cells of [expected, set]) {
    assertObject(cells, 'what a change expects and sets')
    for (const name in cells) assertCell(cells[name])
  }
  assertOptions(expectedTexts, 'expectedTexts')
  for (const text of Object.values(expectedTexts ?? {})) {
    if (text !== null && !(text instanceof Uint8Array)) assertText(text, 'each of expectedTexts')
  }
}

/** What a driver would take for something else, or send as nothing. */
function assertCell(cell: unknown): void {
  if (cell !== undefined && typeof cell !== 'function' && typeof cell !== 'symbol') return
  throw new InvalidInputError(`a cell must be a value that a driver takes, received ${describe(cell)}`)
}

function assertHeadQuery(query: HeadQuery): void {
  assertObject(query, 'the query')
  const { column, prefix, length, by } = query
  assertFilled(column, 'column')
  if (typeof prefix === 'string') assertText(prefix, 'prefix')
  else assertBytes(prefix, 'prefix')
  assertWhole(length, 'length', 1, MAX_HEAD)
  if (by !== undefined) assertFilled(by, 'by')
}

function assertTableChange(change: TableChange): void {
  assertObject(change, 'the change')
  const { kind } = change
  assertOneOf(Object.keys(CHANGES), kind, 'kind')
  for (const name of CHANGES[kind]) assertFilled((change as unknown as Record<string, unknown>)[name], name)
  if (kind === 'add-column') {
    assertOneOf(['text', 'bytes'], change.holds, 'holds')
    if (change.width !== undefined) assertWhole(change.width, 'width', 1, Number.MAX_SAFE_INTEGER)
    // A column of SQLite may have no type.
    if (change.type !== undefined && change.type !== '') assertFilled(change.type, 'type')
  }
  if (kind === 'rename') {
    assertArray(change.columns, 'columns')
    for (const renamed of change.columns) {
      assertObject(renamed, 'each of columns')
      assertFilled(renamed.from, 'from')
      assertFilled(renamed.to, 'to')
    }
  }
  if (kind === 'guard' || kind === 'rename') assertGuard(change.guard)
}

function assertGuard(guard: TableGuard): void {
  assertObject(guard, 'guard')
  assertFilled(guard.name, 'the name of a guard')
  assertArray(guard.watched, 'watched')
  for (const watched of guard.watched) {
    assertObject(watched, 'each of watched')
    assertFilled(watched.source, 'source')
    assertTexts(watched.derived, 'derived', assertFilled)
  }
}

function assertJobStart(start: JobStart): void {
  assertObject(start, 'the job')
  const { kind, record, phase, from, until, staleMs } = start
  assertOneOf(KINDS, kind, 'kind')
  assertText(record, 'record')
  assertText(phase, 'phase')
  if (from !== undefined && from !== null) assertTexts(from, 'from')
  if (until !== undefined && until !== null) assertTexts(until, 'until')
  assertWhole(staleMs, 'staleMs', 0, Number.MAX_SAFE_INTEGER)
}

function assertJobWrite(job: JobWrite): void {
  assertObject(job, 'the job')
  const { id, token, state, phase, progress } = job
  assertFilled(id, 'id')
  assertWhole(token, 'token', 0, Number.MAX_SAFE_INTEGER)
  if (state !== undefined) assertOneOf(STATES, state, 'state')
  if (phase !== undefined) assertText(phase, 'phase')
  assertProgress(progress)
}

function assertProgress(progress: JobProgress): void {
  assertObject(progress, 'progress')
  const { after, pass, counts, aside, kept, error } = progress
  if (after !== null) assertTexts(after, 'after')
  assertWhole(pass, 'pass', 1, Number.MAX_SAFE_INTEGER)
  assertObject(counts, 'counts')
  for (const name of ['rows', 'written', 'changed', 'failed'] as const) {
    assertWhole(counts[name], name, 0, Number.MAX_SAFE_INTEGER)
  }
  assertArray(aside, 'aside')
  for (const key of aside) assertTexts(key, 'each of aside')
  assertOptions(kept, 'kept')
  for (const text of Object.values(kept ?? {})) assertText(text, 'each of kept')
  if (error !== undefined) assertText(error, 'error')
}
