import type { Customer, Order, SuiteRoom } from './records.ts'

/** Which customer. */
export interface CustomerKey {
  readonly id: string
  readonly orgId: string
}

/** What a customer is changed to. */
export type CustomerChanges = Partial<Omit<Customer, 'id' | 'orgId'>>

/** What each index finds. */
export interface Searches {
  readonly email: string
  readonly name: string
  readonly person_index: { readonly name: string; readonly birthDate: Date }
}

/** What every adapter must be able to do, each in the words of its ORM: the ordinary query that a user would write. */
export interface AdapterQueries {
  /** Inserts a row and returns it as the ORM returns it, decrypted. */
  create(row: Customer): Promise<Customer>
  /** Inserts up to 500 rows by one statement. */
  createMany(rows: readonly Customer[]): Promise<unknown>
  /** Changes some columns of one row. @returns how many rows were changed */
  update(key: CustomerKey, changes: CustomerChanges): Promise<number>
  /** Changes columns of every row of a tenant with this status. @returns how many rows were changed */
  updateMany(where: { orgId: string; status: string }, changes: CustomerChanges): Promise<number>
  /** Inserts a row, or replaces that of the same id. */
  upsert(row: Customer): Promise<unknown>
  /** Deletes a row and returns what it held, decrypted. */
  delete(key: CustomerKey): Promise<Customer | undefined>
  get(key: CustomerKey): Promise<Customer | undefined>
  /** Every row of a tenant in the order of its id. */
  findMany(orgId: string): Promise<Customer[]>
  /** The rows of a tenant that really have the value. */
  search<Name extends keyof Searches>(name: Name, value: Searches[Name], orgId: string): Promise<Customer[]>
  /** `name` and `birthDate` of the rows of a tenant in the order of the id, and no other property. */
  pick(orgId: string): Promise<Pick<Customer, 'name' | 'birthDate'>[]>
  /** Inserts a customer and orders as one: a nested write where the ORM has it, one transaction otherwise. */
  createWithOrders(row: Customer, orders: readonly Order[]): Promise<unknown>
  /** The customers of a tenant with their orders: a relation or a join; a customer without orders has an empty list. */
  withOrders(orgId: string): Promise<{ customer: Customer; orders: Order[] }[]>
}

/** Attempts that must fail before anything is written, each saying what to do instead. */
export interface Refusals {
  /** `where email = …`; the message names `email_index`. */
  compare(): Promise<unknown>
  /** `order by name`. */
  order(): Promise<unknown>
  /** Changes `name` of a row that is known by its `status` alone; an adapter that does it row by row behind the API leaves this out. */
  updateUnknownRow?(): Promise<unknown>
  /** Moves a row to another tenant. */
  changeTenant(): Promise<unknown>
  /** Writes `email_index` by hand. */
  writeIndex(): Promise<unknown>
  /** Inserts a row without its id. */
  createWithoutId(): Promise<unknown>
  /** Inserts a row without its `email`. */
  createWithoutField(): Promise<unknown>
  /** Writes plaintext into `email` by SQL of one's own; left out where SQL never passes the adapter, which its page says. */
  rawWrite?(): Promise<unknown>
}

/** One adapter on one database. */
export interface AdapterHarness extends AdapterQueries {
  /** Commits when `work` resolves and rolls back when it rejects. */
  transaction<Result>(work: (queries: AdapterQueries) => Promise<Result>): Promise<Result>
  /** The customers of a tenant one by one, without holding all; left out where the ORM has no cursor. */
  stream?(orgId: string): AsyncIterable<Customer>
  /** The customers of a tenant by SQL of one's own, decrypted by the adapter's helper. */
  raw(orgId: string): Promise<Customer[]>
  /** An id for an order, from the sequence of the database, before the order is written. */
  nextOrderId(): Promise<number>
  readonly refused: Refusals
  close(): Promise<void>
}

/** An adapter and a database with the empty tables `customers` and `orders`. */
export interface AdapterUnderTest {
  /** Opens the adapter with a Strongroom; called again for a second process on the same rows. */
  open(room: SuiteRoom): Promise<AdapterHarness>
  /** The rows as the database holds them, by the names of the columns in the records, read without the adapter. */
  stored(table: 'customers' | 'orders'): Promise<Readonly<Record<string, unknown>>[]>
  /** Copies the stored value of a column of one customer into another, as somebody does who can write the table. */
  move(column: 'email', from: string, to: string): Promise<void>
  /** Deletes every row. */
  clear(): Promise<void>
}
