import { defineRecord, text } from 'strongroom'

/** Those who log in. A login knows no tenant yet, so the index of e-mails is one for all tenants. */
export const accounts = defineRecord(
  'accounts',
  { email: text({ index: { column: 'email_index', transform: 'email', unique: true, scope: 'global' } }) },
  { id: 'id', tenant: 'tenant', plain: ['password_hash'] },
)

/** What the tenants keep. Data and index keys are those of the tenant: nothing of one opens, or is found, in another. */
export const customers = defineRecord(
  'customers',
  {
    name: text(),
    // `rows`: the customers of one large tenant, in a few years. It decides how little the index gives away.
    email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
    notes: text({ nullable: true }),
  },
  { id: 'id', tenant: 'tenant', plain: ['added_at'] },
)

export const records = { accounts, customers }
