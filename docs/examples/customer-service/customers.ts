import { uuidv7 } from 'strongroom'
import { matching } from 'strongroom/kysely'
import type { Database, Room } from './database.ts'

/** What a tenant knows of a customer. */
export interface CustomerFields {
  readonly name: string
  readonly email: string
  readonly notes: string | null
}

export interface Customer extends CustomerFields {
  readonly id: string
}

const PAGE = 500

/** The customers of one tenant. Needs the keys of the tenant in memory: see `tenantOf` in the server. */
export function customersOf(tenant: string, db: Database, room: Room) {
  const ours = () =>
    db.selectFrom('customers').select(['id', 'name', 'email', 'notes']).where('tenant', '=', tenant).orderBy('id')

  return {
    /** @returns the id: every value is bound to its row, so the id is there before the row */
    async add(fields: CustomerFields): Promise<string> {
      const id = uuidv7()
      await db
        .insertInto('customers')
        .values({ id, tenant, ...fields })
        .execute()
      return id
    },

    /** @returns false when the tenant has no such customer */
    async change(id: string, fields: Partial<CustomerFields>): Promise<boolean> {
      const update = db.updateTable('customers').set(fields).where('id', '=', id).where('tenant', '=', tenant)
      return (await update.executeTakeFirst()).numUpdatedRows === 1n
    },

    async get(id: string): Promise<Customer | undefined> {
      return ours().where('id', '=', id).executeTakeFirst()
    },

    async findByEmail(email: string): Promise<Customer[]> {
      return ours()
        .where(matching(room.records.customers, 'email', email, { tenant }))
        .execute()
    },

    /** All of them, a page at a time: an export needs no more memory for a million than for one. */
    async *all(): AsyncGenerator<Customer> {
      let page = await ours().limit(PAGE).execute()
      for (;;) {
        yield* page
        const last = page.at(-1)
        if (last === undefined || page.length < PAGE) return
        page = await ours().where('id', '>', last.id).limit(PAGE).execute()
      }
    },
  }
}
