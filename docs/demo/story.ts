import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DecryptionError, openStrongroom } from 'strongroom'
import type { Customers } from './customers.ts'
import { type DataRow, type Dataset, indexColumn } from './dataset.ts'
import { type CallCount, configure, createKeys, type DemoRoom } from './rooms.ts'
import type { Stage } from './stage.ts'

type Cipher = DemoRoom['records']['customers']

/** What the demonstration is played with. */
export interface Scene {
  readonly stage: Stage
  readonly dataset: Dataset
  readonly customers: Customers
  readonly folder: string
}

interface Work {
  readonly label: string
  readonly rows: number
  readonly ms: number
}

/** Plays the whole demonstration. @throws BrokenPromise as soon as something is not as promised */
export async function play(scene: Scene): Promise<void> {
  const started = performance.now()
  const { stage, dataset, folder } = scene
  const count: CallCount = { calls: 0 }
  await createKeys(folder)

  stage.step('Encrypt the table')
  const migrating = await openStrongroom(configure(dataset, folder, count, true), { init: true })
  const encrypting = await encryptTable(scene, migrating.records.customers)
  await migrating.close()

  const room = await openStrongroom(configure(dataset, folder, count, false))
  try {
    const cipher = room.records.customers
    const reading = await compare(scene, cipher)
    await showAttacker(scene, cipher)
    await findOne(scene, cipher)
    await attack(scene, cipher)
    const rotating = await rotate(scene, room)
    stage.step('Summary')
    summary(scene, [encrypting, reading, rotating], count, performance.now() - started)
  } finally {
    await room.close()
  }
}

async function encryptTable({ stage, dataset, customers }: Scene, cipher: Cipher): Promise<Work> {
  await customers.widen()
  const work = await rewrite({ stage, dataset, customers }, cipher, 'encrypting')
  stage.tell('every value has its own nonce and is bound to app, table, column, tenant and row')
  return work
}

/** Encrypts, or encrypts again, every row that needs it, a page at a time, and writes it by compare-and-set. */
async function rewrite(
  { stage, dataset, customers }: Omit<Scene, 'folder'>,
  cipher: Cipher,
  label: string,
): Promise<Work> {
  const started = performance.now()
  const progress = stage.progress(label, dataset.rows.length)
  let done = 0
  for await (const page of customers.pages()) {
    const after = await cipher.reencryptMany(page)
    done += await customers.replace(page, after)
    progress.update(done)
  }
  progress.end()
  stage.promise(
    `${label}: all ${dataset.rows.length} rows written, each only if nobody changed it meanwhile`,
    done === dataset.rows.length,
  )
  return { label, rows: done, ms: performance.now() - started }
}

async function compare({ stage, dataset, customers }: Scene, cipher: Cipher): Promise<Work> {
  const originals = new Map(dataset.rows.map((row) => [row.id, row]))
  const started = performance.now()
  let same = 0
  for await (const page of customers.pages()) {
    for (const row of (await cipher.decryptMany(page)) as DataRow[]) {
      if (isSame(dataset, row, originals.get(row.id))) same++
    }
  }
  const ms = performance.now() - started
  stage.promise('every row decrypts to what it was', same === dataset.rows.length)
  return { label: 'decrypting', rows: same, ms }
}

async function showAttacker({ stage, dataset, customers }: Scene, cipher: Cipher): Promise<void> {
  stage.step('The table as an attacker sees it')
  const [first] = dataset.rows
  const stored = await customers.get(first?.id as string)
  const [plain] = (await cipher.decryptMany([stored])) as DataRow[]
  const head = ['column', 'the application reads', 'the database holds']
  stage.table(
    head,
    [...dataset.columns.map((column) => column.name), indexColumn(dataset.search)].map((name) => [
      name,
      shorten(plain?.[name] ?? '(only for searching)'),
      shorten(stored[name]),
    ]),
  )
  const { folder, file, bytes } = await customers.files()
  const content = await readFile(join(folder, file), 'latin1')
  const known = dataset.rows.slice(0, 1000).map((row) => String(row[dataset.search]))
  const found = known.filter(
    (value) => value.length > 5 && content.includes(Buffer.from(value, 'utf8').toString('latin1')),
  )
  stage.promise(
    `none of ${known.length} known values of ${dataset.search} is in the table's ${Math.round(bytes / 2 ** 20)} MiB on disk`,
    found.length === 0,
  )
  stage.tell(
    '(the write-ahead log and old backups still hold the plaintext until they are recycled: see the threat model)',
  )
}

async function findOne({ stage, dataset, customers }: Scene, cipher: Cipher): Promise<void> {
  stage.step(`Find one by ${dataset.search}, without decrypting the table`)
  const wanted = dataset.rows[Math.floor(dataset.rows.length / 3)] as DataRow
  const value = wanted[dataset.search] as never
  const tags = await cipher.indexMany(dataset.search as never, [value as never], { tenant: wanted.tenant })
  const { rows, plan, touched } = await customers.find(wanted.tenant, tags)
  const found = cipher.filter(
    (await cipher.decryptMany(rows)) as DataRow[],
    dataset.search as never,
    value,
  ) as DataRow[]
  stage.table(
    ['rows in the table', 'rows touched', 'rows that match', 'the database used'],
    [[dataset.rows.length, touched, found.length, plan]],
  )
  stage.promise(
    'the row is found',
    found.some((row) => row.id === wanted.id),
  )
  stage.promise(
    'the database looked at less than 1 % of the table',
    dataset.rows.length < 5000 || touched < dataset.rows.length / 100,
  )
  stage.promise(
    'everything that was returned by chance is filtered out',
    found.every((row) => row[dataset.search] === value),
  )
}

async function attack({ stage, dataset, customers }: Scene, cipher: Cipher): Promise<void> {
  stage.step('Attack it')
  const mine = await customers.get(dataset.rows[0]?.id as string)
  const other = await customers.get(dataset.rows.at(-1)?.id as string)
  const { search } = dataset
  const value = String(mine[search])
  const edited = value.slice(0, 60) + (value[60] === 'A' ? 'B' : 'A') + value.slice(61)
  const attempts: [string, DataRow][] = [
    ['a value moved to another row', { ...other, [search]: value }],
    ['a value moved to another tenant', { ...mine, tenant: 'somebody-else' }],
    ['a value with one character changed', { ...mine, [search]: edited }],
    ['a value cut short', { ...mine, [search]: value.slice(0, -4) }],
    ['plaintext put in place of a value', { ...mine, [search]: 'mallory@example.com' }],
  ]
  const [column] = dataset.columns.map(({ name }) => name).filter((name) => name !== search)
  if (column !== undefined) attempts.push(['a value moved to another column', { ...mine, [column]: value }])
  for (const [what, row] of attempts) {
    const refused = await cipher.decryptMany([row]).then(
      () => false,
      (error: unknown) => error instanceof DecryptionError,
    )
    stage.promise(`${what} is refused`, refused)
  }
}

async function rotate(scene: Scene, room: DemoRoom): Promise<Work> {
  const { stage, dataset, customers } = scene
  stage.step('Rotate the data keys, encrypt again, destroy the old keys')
  const before = await customers.census()
  const rotations = await room.keys.rotate({ scope: 'all', reason: 'demonstration' })
  const work = await rewrite(scene, room.records.customers, 'encrypting again')
  const after = await customers.census()
  stage.table(
    ['keys', 'before', 'after'],
    [
      ['keys in use in the table', before.size, after.size],
      [
        'rows under the old keys',
        dataset.rows.length,
        [...after].reduce((rows, [prefix, n]) => rows + (before.has(prefix) ? n : 0), 0),
      ],
      ['rows under the new keys', 0, [...after].reduce((rows, [prefix, n]) => rows + (before.has(prefix) ? 0 : n), 0)],
    ],
  )
  stage.promise(
    'no row is left under an old key',
    [...after.keys()].every((prefix) => !before.has(prefix)),
  )
  for (const { replaced } of rotations) {
    if (replaced === null) continue
    await room.keys.retire(replaced.id)
    await room.keys.destroy(replaced.id)
  }
  stage.tell(`${rotations.length} old keys destroyed`)
  await compare(scene, room.records.customers)
  return work
}

function summary({ stage, dataset }: Scene, works: readonly Work[], count: CallCount, ms: number): void {
  const fields = dataset.columns.length
  stage.table(
    ['what', 'rows', 'seconds', 'rows per second', 'values per second'],
    works.map(({ label, rows, ms: took }) => [
      label,
      rows,
      (took / 1000).toFixed(1),
      Math.round((rows * 1000) / took),
      Math.round((rows * fields * 1000) / took),
    ]),
  )
  stage.promise(`${count.calls} calls to the key management service for all of it`, count.calls <= 4)
  stage.tell(`done in ${(ms / 1000).toFixed(1)} s; nothing was left on this machine`)
}

function isSame(dataset: Dataset, row: DataRow, original: DataRow | undefined): boolean {
  return dataset.columns.every(({ name }) => canonical(row[name]) === canonical(original?.[name]))
}

function canonical(value: unknown): string {
  if (value instanceof Date) return value.toISOString().slice(0, 10)
  if (typeof value !== 'object' || value === null) return String(value)
  return JSON.stringify(Object.entries(value).sort())
}

function shorten(value: unknown): string {
  const text =
    value instanceof Date
      ? value.toISOString().slice(0, 10)
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value)
  return text.length > 38 ? `${text.slice(0, 37)}…` : text
}
