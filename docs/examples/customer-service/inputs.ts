/** What each route takes, checked before anything is done with it. */
const email = { type: 'string', format: 'email', maxLength: 254 }
const id = { type: 'string', format: 'uuid' }
const fields = {
  name: { type: 'string', minLength: 1, maxLength: 200 },
  email,
  notes: { type: ['string', 'null'], maxLength: 10_000 },
}

export const credentials = { schema: { body: object({ email, password: { type: 'string', maxLength: 1024 } }) } }
export const customer = { schema: { body: object(fields) } }
export const changes = {
  schema: { params: object({ id }), body: { ...object(fields), required: [], minProperties: 1 } },
}
export const search = { schema: { querystring: object({ email }) } }
export const customerId = { schema: { params: object({ id }) } }

/** An object that has these properties, all of them and no others. */
function object(properties: Readonly<Record<string, object>>) {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
}
