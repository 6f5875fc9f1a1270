import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { isKeyRecord, isLogEntry } from '../../src/key-record-shape.ts'
import type { KeyLogEntry, KeyRecord } from '../../src/key-store.ts'

/** The most that a key store file may hold, in bytes: about 300,000 keys. */
export const MAX_FILE_BYTES = 256 * 1024 * 1024

/** The content of a key store file. */
export interface StoreContent {
  readonly records: KeyRecord[]
  readonly log: KeyLogEntry[]
  /** The lines that the records and then the log entries were read from. */
  readonly lines: string[]
}

/**
 * Lines of JSON: a header with the counts, the records, the log, and a checksum of everything above it.
 * The checksum finds damage; changes made on purpose are found by the MAC of each record.
 *
 * @param records each record as one line of JSON
 * @param log each entry as one line of JSON
 * @returns pieces to write one after another
 */
export function encodeStore(records: Iterable<string>, log: readonly string[], count: number): Buffer[] {
  const header = `${JSON.stringify({ [FORMAT]: 1, records: count, log: log.length })}\n`
  const pieces = [Buffer.from(header)]
  for (const lines of batches(records)) pieces.push(Buffer.from(lines))
  for (const lines of batches(log)) pieces.push(Buffer.from(lines))
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  pieces.push(Buffer.from(`${JSON.stringify({ sha256: hash.digest('hex') })}\n`))
  return pieces
}

/** @returns the content, or in one clause what is wrong with the file */
export function parseStore(bytes: Buffer): StoreContent | string {
  const header = parseHeader(bytes)
  if (header === undefined) return 'it does not start as a key store does'
  if (bytes.at(-1) !== NEWLINE) return 'it is cut off'
  const footerAt = bytes.lastIndexOf(NEWLINE, bytes.byteLength - 2) + 1
  const sha256 = createHash('sha256').update(bytes.subarray(0, footerAt)).digest('hex')
  if (bytes.toString('latin1', footerAt) !== `${JSON.stringify({ sha256 })}\n`) return 'its checksum does not match'

  const lines = bytes.toString('utf8', header.end, footerAt).split('\n')
  if (lines.pop() !== '' || lines.length !== header.records + header.log) return 'it does not hold what it says'
  const records: KeyRecord[] = []
  const log: KeyLogEntry[] = []
  for (const line of lines) {
    const value = parseLine(line)
    if (records.length < header.records && isKeyRecord(value)) records.push(value)
    else if (records.length === header.records && isLogEntry(value, log.length + 1)) log.push(value)
    else return `line ${records.length + log.length + 2} is not what belongs there`
  }
  return { records, log, lines }
}

const FORMAT = 'strongroom-key-store'
const NEWLINE = 10
const MAX_HEADER_BYTES = 256
const LINES_PER_PIECE = 4096

function parseHeader(bytes: Buffer): { records: number; log: number; end: number } | undefined {
  const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf(NEWLINE)
  const header = end < 0 ? undefined : parseLine(bytes.toString('utf8', 0, end))
  if (typeof header !== 'object' || header === null) return undefined
  const { records, log, [FORMAT]: version } = header as Record<string, unknown>
  if (version !== 1 || !Number.isSafeInteger(records) || !Number.isSafeInteger(log)) return undefined
  return { records: records as number, log: log as number, end: end + 1 }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function* batches(lines: Iterable<string>): Generator<string> {
  let batch: string[] = []
  for (const line of lines) {
    if (batch.push(line) < LINES_PER_PIECE) continue
    yield `${batch.join('\n')}\n`
    batch = []
  }
  if (batch.length > 0) yield `${batch.join('\n')}\n`
}
