import { relations } from 'drizzle-orm'
import { int, mysqlTable, varchar } from 'drizzle-orm/mysql-core'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { integer as sqliteInteger, sqliteTable, text as sqliteText } from 'drizzle-orm/sqlite-core'
import { mysqlColumns, pgColumns, sqliteColumns } from '../../providers/drizzle/index.ts'
import * as suite from './records.ts'

const postgres = { table: pgTable, key: () => text(), number: () => integer(), columns: pgColumns }

/** What a database calls the parts of a table. All are given the types of PostgreSQL: the suite asks them the same. */
type Dialect = typeof postgres

function schemaOf({ table, key, number, columns }: Dialect) {
  const customers = table('customers', {
    id: key().primaryKey(),
    orgId: key().notNull(),
    status: key().notNull(),
    ...columns(suite.customers),
  })
  const orders = table('orders', {
    id: number().primaryKey(),
    orgId: key().notNull(),
    customerId: key().notNull(),
    ...columns(suite.orders),
  })
  return {
    customers,
    orders,
    customersRelations: relations(customers, ({ many }) => ({ orders: many(orders) })),
    ordersRelations: relations(orders, ({ one }) => ({
      customer: one(customers, { fields: [orders.customerId], references: [customers.id] }),
    })),
  }
}

/** The tables of the suite, as Drizzle has them on each database. */
export const drizzleSchemas = {
  postgres: schemaOf(postgres),
  mysql: schemaOf({
    table: mysqlTable,
    key: () => varchar({ length: 64 }),
    number: () => int(),
    columns: mysqlColumns,
  } as unknown as Dialect),
  sqlite: schemaOf({
    table: sqliteTable,
    key: () => sqliteText(),
    number: () => sqliteInteger(),
    columns: sqliteColumns,
  } as unknown as Dialect),
}

export type DrizzleSchema = ReturnType<typeof schemaOf>
