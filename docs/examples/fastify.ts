import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { OverloadedError } from 'strongroom'
import type { Accounts, Caller } from './accounts.ts'

/** A Fastify application with sign-up, login and change of a password. */
export function createFastifyApp(accounts: Accounts): FastifyInstance {
  const app = fastify({ bodyLimit: 16_384 })

  app.post<Body<'email' | 'password'>>('/sign-up', schema('email', 'password'), async (request, reply) => {
    const { email, password } = request.body
    const result = await accounts.signUp(email, password, callerOf(request, reply))
    return result.accepted ? reply.code(201).send({ id: result.id }) : reply.code(422).send({ fault: result.fault })
  })

  app.post<Body<'email' | 'password'>>('/login', schema('email', 'password'), async (request, reply) => {
    const { email, password } = request.body
    const id = await accounts.login(email, password, callerOf(request, reply))
    return id === undefined ? reply.code(401).send({ fault: 'wrong e-mail or password' }) : { id } // make the session here
  })

  app.post<Body<'email' | 'old' | 'next'>>('/password', schema('email', 'old', 'next'), async (request, reply) => {
    const { email, old, next } = request.body
    const result = await accounts.change(email, old, next, callerOf(request, reply))
    return reply.code(result.accepted ? 200 : 422).send(result)
  })

  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof OverloadedError) {
      return reply
        .header('Retry-After', Math.ceil(error.retryAfter / 1000))
        .code(503)
        .send({ fault: 'busy' })
    }
    const code = error.statusCode ?? 500 // and log the error
    return reply.code(code).send({ fault: code < 500 ? 'bad request' : 'failed' })
  })
  return app
}

interface Body<Name extends string> {
  Body: Record<Name, string>
}

/** Strings only: a JSON body may hold anything. */
function schema(...names: string[]) {
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'string', maxLength: 4096 }]))
  return { schema: { body: { type: 'object', required: names, properties } } }
}

function callerOf(request: FastifyRequest, reply: FastifyReply): Caller {
  const gone = new AbortController()
  reply.raw.on('close', () => gone.abort())
  return { address: request.ip, signal: gone.signal }
}
