import { pipeline, Readable } from 'node:stream'
import type { Customer } from './customers.ts'
import type { Room } from './database.ts'

/**
 * Customers as lines of JSON, sealed: the file is safe wherever it is sent or kept, and opens under the name of its tenant
 * alone. One that breaks off in the middle does not open.
 */
export function sealedExport(room: Room, tenant: string, customers: AsyncIterable<Customer>): Readable {
  const seal = room.sealNodeStream({ context: { kind: 'customers', tenant } })
  return pipeline(Readable.from(lines(customers)), seal, () => undefined) // `seal` tells its reader of an error
}

async function* lines(customers: AsyncIterable<Customer>): AsyncGenerator<string> {
  for await (const customer of customers) yield `${JSON.stringify(customer)}\n`
}
