/** How a dialect spells what the suite's tables are made of. */
interface Spelling {
  readonly quote: string
  readonly text: string
  /** A text that can be a key or an index. */
  readonly key: string
  readonly bytes: string
  readonly sequence: string
}

const SPELLINGS = {
  postgres: { quote: '"', text: 'text', key: 'text', bytes: 'bytea', sequence: 'create sequence order_ids' },
  mariadb: {
    quote: '`',
    text: 'text character set ascii collate ascii_bin',
    key: 'varchar(64) character set utf8mb4 collate utf8mb4_bin',
    bytes: 'longblob',
    sequence: 'create sequence order_ids',
  },
  sqlite: {
    quote: '"',
    text: 'text',
    key: 'text',
    bytes: 'blob',
    sequence: 'create table order_ids (id integer primary key autoincrement)',
  },
} as const satisfies Record<string, Spelling>

/** The statements that make the tables of the suite, with columns called as in the records. */
export function suiteTables(dialect: keyof typeof SPELLINGS): string[] {
  const { quote, text, key, bytes, sequence } = SPELLINGS[dialect]
  const column = (name: string, type: string, rest = 'not null') => `${quote}${name}${quote} ${type} ${rest}`
  const ciphertexts = ['email', 'name', 'birthDate', 'visits', 'rating', 'balance', 'vip', 'notes']
  const customers = [
    column('id', key, 'primary key'),
    column('orgId', key),
    column('status', key),
    ...ciphertexts.map((name) => column(name, text)),
    column('photo', bytes),
    column('nickname', text, ''),
    column('email_index', key, 'not null unique'),
    column('name_index', key),
    column('person_index', key),
  ]
  const orders = [
    column('id', 'integer', 'primary key'),
    column('orgId', key),
    column('customerId', key),
    column('memo', text),
    column('amount', text),
  ]
  return [`create table customers (${customers.join(', ')})`, `create table orders (${orders.join(', ')})`, sequence]
}
