import { type DataRow, type Dataset, dateColumn, jsonColumn, textColumn } from './dataset.ts'

const TENANTS = 25
const SEED = 20_261_122

/** Customers of 25 companies, the same ones every time: nobody in it exists. */
export function people(count: number): Dataset {
  const pick = seeded(SEED)
  const rows = Array.from({ length: count }, (_, at) => person(at, pick))
  const perTenant = Math.ceil(count / TENANTS)
  return {
    title: `${count.toLocaleString('en')} customers of ${TENANTS} companies`,
    columns: [
      textColumn('name', perTenant),
      textColumn('email', perTenant, 'email'),
      textColumn('phone', perTenant),
      textColumn('tax_id', perTenant),
      dateColumn('birth_date'),
      jsonColumn('notes'),
    ],
    rows,
    search: 'email',
  }
}

type Pick = <Item>(items: readonly Item[]) => Item

function person(at: number, pick: Pick): DataRow {
  const first = pick(FIRST)
  const last = pick(LAST)
  const digits = (count: number) => Array.from({ length: count }, () => pick(DIGITS)).join('')
  const plain = `${first}.${last}`
    .normalize('NFD')
    .replace(/[^A-Za-z.]/g, '')
    .toLowerCase()
  return {
    id: `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`,
    tenant: `company-${String((at % TENANTS) + 1).padStart(2, '0')}`,
    name: `${first} ${last}`,
    email: `${plain}.${at}@${pick(DOMAINS)}`,
    phone: `+${pick(['1', '33', '44', '49', '81'])} ${digits(3)} ${digits(7)}`,
    tax_id: `${digits(3)}-${digits(2)}-${digits(4)}`,
    birth_date: new Date(Date.UTC(1940 + (at % 65), Number(pick(DIGITS)), 1 + Number(digits(1)))),
    notes: { tier: pick(['basic', 'plus', 'private']), comment: pick(COMMENTS), risk: Number(pick(DIGITS)) },
  }
}

/** A small generator of equally likely choices, the same on every machine. */
function seeded(seed: number): Pick {
  let state = seed
  return (items) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return items[Math.floor((state / 2 ** 32) * items.length)] as (typeof items)[number]
  }
}

const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
const DOMAINS = ['example.com', 'example.org', 'example.net', 'mail.example']
const FIRST = (
  'Ada Alan Amélie Anouk Bao Björn Chidi Chloé Dmitri Elif Emeka Fatima Grace Hana Hiro Ingrid Ivan Jamal Jorge Kaito ' +
  'Katherine Lamar Leïla Linus Mads Mei Mónica Nadia Niamh Noor Olu Omar Paola Priya Quentin Ravi Rosa Søren Sofia Tariq ' +
  'Tomás Uma Victor Wanjiru Xu Yara Yusuf Zeynep Zoë'
).split(' ')
const LAST = (
  'Abara Andersson Baker Becker Bianchi Castillo Chen Costa Dubois Ekström Fernández Fischer Garcia Haddad Hopper Ito ' +
  'Jansen Jones Kaya Khan Kowalski Kumar Larsen Lovelace Mbeki Müller Nakamura Nguyen Novák Okafor Oliveira Park Patel ' +
  'Petrov Quist Rossi Sato Schmidt Silva Suzuki Tanaka Turing Ünal Vargas Wang Weber Yamamoto Zhang'
).split(' ')
const COMMENTS = [
  'prefers to be called in the evening',
  'asked for a mortgage offer',
  'moved in spring, address confirmed',
  'power of attorney on file',
  'complained about a card fee, refunded',
  'needs large-print letters',
]
