import { Buffer } from 'node:buffer'
import { uuidv7 } from '../../src/index.ts'
import type { Customer, Order } from './records.ts'

/** A customer with a value in every column; `at` makes it another one. */
export function customer(orgId: string, at: number, changes: Partial<Customer> = {}): Customer {
  return {
    id: uuidv7(1_700_000_000_000 + at),
    orgId,
    status: at % 2 === 0 ? 'active' : 'trial',
    email: `person${at}@${orgId}.example`,
    name: `Person Number${at}`,
    birthDate: new Date(Date.UTC(1950 + (at % 60), at % 12, 1 + (at % 28))),
    visits: at - 7,
    rating: at / 3,
    balance: 2n ** 70n + BigInt(at),
    vip: at % 3 === 0,
    photo: Buffer.from([0, 255, at % 256]),
    notes: [{ at: '2026-01-01', tags: ['ü', `"${at}"`] }],
    nickname: at % 2 === 0 ? `nick${at}` : null,
    ...changes,
  }
}

/** Customers 0 to `count` − 1 of a tenant, in the order of their ids. */
export function manyCustomers(orgId: string, count: number): Customer[] {
  return Array.from({ length: count }, (_, at) => customer(orgId, at))
}

/** An order of a customer. */
export function order(customer: Customer, id: number, memo: string | null = `memo ${id}`): Order {
  return { id, orgId: customer.orgId, customerId: customer.id, memo, amount: id * 100 }
}

/** Plain bytes instead of a Buffer, so that rows compare equal whatever class a driver returns. */
export function plain<Row extends object>(row: Row): Row {
  const entries = Object.entries(row).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? Uint8Array.from(value) : value,
  ])
  return Object.fromEntries(entries) as Row
}
