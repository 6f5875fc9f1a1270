import { Buffer } from 'node:buffer'
import { FIELD_FORMAT, HEADER_LENGTH, keyIdOfHead, TEXT_HEAD_LENGTH, TEXT_PREFIX_BYTES } from '../format/field.ts'
import { indexVersion } from '../keys/index-key.ts'
import type { KeyInfo } from '../keys/key-info.ts'
import { compileRecord } from '../records/compiled-record.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { RowIdentifier } from '../records/row-identity.ts'
import type { HeadCount, Table } from '../table.ts'

/** Rows of one column that are under one key. */
export interface KeyRows {
  readonly record: string
  /** What messages call the table. */
  readonly table: string
  readonly column: string
  readonly rows: number
}

/**
 * Counts the rows of a table under one data or pepper key, now: in every column of text or bytes, whether the record
 * declares it or not, because a value that was encrypted by hand names its key in the same place.
 *
 * @returns one entry a column, those with none included
 * @throws TableError (`ERR_TABLE`)
 */
export async function countCiphertexts(schema: AnyRecord, table: Table, id: string): Promise<KeyRows[]> {
  const counted: KeyRows[] = []
  for (const { name, holds } of (await table.describe()).columns) {
    if (holds === 'other') continue
    const query = holds === 'bytes' ? bytesHead(id) : textHead(id)
    const heads = await table.countHeads({ column: name, ...query })
    const own = heads.filter(({ head }) => head !== null && keyIdOfHead(head) === id)
    counted.push({ record: schema.name, table: table.name, column: name, rows: sum(own) })
  }
  return counted
}

/**
 * Counts the tags of a table that were made under one index key, now. Tags name the version of their key alone, so they
 * are counted apart by tenant.
 *
 * @param scope canonical text of the key's scope
 * @throws TableError (`ERR_TABLE`)
 */
export async function countTags(
  app: string,
  schema: AnyRecord,
  table: Table,
  key: Pick<KeyInfo, 'generation'>,
  scope: string,
): Promise<KeyRows[]> {
  const { tenant } = schema.options
  const scopes = new RowIdentifier(app, schema.name, schema.options)
  const version = indexVersion(key.generation)
  const counted: KeyRows[] = []
  for (const { column, binary, global } of compileRecord(schema).indexes) {
    const perTenant = tenant !== undefined && !global
    if (perTenant === (scope === '')) continue
    const query = binary ? { prefix: Uint8Array.of(version), length: 1 } : { prefix: hex(version), length: 2 }
    const heads = await table.countHeads({ column, ...query, ...(perTenant && { by: tenant }) })
    const own = heads.filter(
      (count) =>
        isVersion(count, version) && (!perTenant || (count.by !== null && scopes.tenantScope(count.by) === scope)),
    )
    counted.push({ record: schema.name, table: table.name, column, rows: sum(own) })
  }
  return counted
}

/** All of the head that belongs to whole characters; the last one holds bits of the nonce too, and is looked at here. */
function textHead(id: string): { prefix: string; length: number } {
  const bytes = Buffer.concat([TEXT_PREFIX_BYTES, header(id)])
  return { prefix: bytes.toString('base64url').slice(0, TEXT_HEAD_LENGTH - 1), length: TEXT_HEAD_LENGTH }
}

function bytesHead(id: string): { prefix: Uint8Array; length: number } {
  return { prefix: Uint8Array.from(header(id)), length: HEADER_LENGTH }
}

function header(id: string): Buffer {
  return Buffer.from([FIELD_FORMAT, ...Buffer.from(id, 'hex')])
}

function isVersion({ head }: HeadCount, version: number): boolean {
  return typeof head === 'string' ? head === hex(version) : head?.[0] === version
}

function hex(version: number): string {
  return version.toString(16).padStart(2, '0')
}

function sum(counts: readonly HeadCount[]): number {
  return counts.reduce((total, { rows }) => total + rows, 0)
}
