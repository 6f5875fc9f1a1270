import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { OverloadedError } from 'strongroom'
import type { Accounts, Caller } from './accounts.ts'
import { type CustomerFields, customersOf } from './customers.ts'
import type { Database, Room } from './database.ts'
import { sealedExport } from './export.ts'
import { changes, credentials, customer, customerId, search } from './inputs.ts'
import type { Sessions } from './sessions.ts'

export interface ServerParts {
  readonly room: Room
  readonly db: Database
  readonly accounts: Accounts
  readonly sessions: Sessions
}

/** The service over HTTP. Whoever calls is known by a token, and the token alone says which tenant. */
export function createServer({ room, db, accounts, sessions }: ServerParts): FastifyInstance {
  // What does not fit the schema of its route is refused as it is, not bent until it fits.
  const app = fastify({ bodyLimit: 65_536, ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } })

  const tenantOf = async (request: FastifyRequest): Promise<string> => {
    const [, token = ''] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? []
    const account = await sessions.find(token)
    if (account === undefined) throw new NotLoggedInError()
    await room.unlock([{ tenant: account.tenant }]) // its keys, from memory after the first time
    return account.tenant
  }
  const customersFor = async (request: FastifyRequest) => customersOf(await tenantOf(request), db, room)

  app.post<{ Body: Credentials }>('/sign-up', credentials, async (request, reply) => {
    const { email, password } = request.body
    const result = await accounts.signUp(email, password, callerOf(request, reply))
    return result.accepted
      ? reply.code(201).send({ tenant: result.tenant })
      : reply.code(422).send({ fault: result.fault })
  })

  app.post<{ Body: Credentials }>('/login', credentials, async (request, reply) => {
    const { email, password } = request.body
    const account = await accounts.login(email, password, callerOf(request, reply))
    if (account === undefined) return reply.code(401).send({ fault: 'wrong e-mail or password' })
    return { token: await sessions.begin(account) }
  })

  app.post<{ Body: CustomerFields }>('/customers', customer, async (request, reply) => {
    const customers = await customersFor(request)
    return reply.code(201).send({ id: await customers.add(request.body) })
  })

  app.get<{ Querystring: { email: string } }>('/customers', search, async (request) => {
    const customers = await customersFor(request)
    return customers.findByEmail(request.query.email)
  })

  app.get<{ Params: { id: string } }>('/customers/:id', customerId, async (request, reply) => {
    const customers = await customersFor(request)
    return (await customers.get(request.params.id)) ?? reply.code(404).send({ fault: 'not found' })
  })

  app.patch<{ Params: { id: string }; Body: Partial<CustomerFields> }>(
    '/customers/:id',
    changes,
    async (request, reply) => {
      const customers = await customersFor(request)
      const found = await customers.change(request.params.id, request.body)
      return found ? reply.code(204).send() : reply.code(404).send({ fault: 'not found' })
    },
  )

  app.get('/export', async (request, reply) => {
    const tenant = await tenantOf(request)
    return reply
      .type('application/octet-stream')
      .header('content-disposition', 'attachment; filename="customers.sr"')
      .send(sealedExport(room, tenant, customersOf(tenant, db, room).all()))
  })

  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof OverloadedError) {
      const seconds = Math.ceil(error.retryAfter / 1000)
      return reply.code(503).header('retry-after', seconds).send({ fault: 'busy' })
    }
    const code = error.statusCode ?? 500
    if (code < 500) return reply.code(code).send({ fault: error.message })
    console.error(error) // errors of Strongroom hold ids, and no values
    return reply.code(code).send({ fault: 'failed' })
  })
  return app
}

interface Credentials {
  readonly email: string
  readonly password: string
}

class NotLoggedInError extends Error {
  readonly statusCode = 401

  constructor() {
    super('log in first')
  }
}

function callerOf(request: FastifyRequest, reply: FastifyReply): Caller {
  const gone = new AbortController()
  reply.raw.on('close', () => gone.abort())
  return { address: request.ip, signal: gone.signal }
}
