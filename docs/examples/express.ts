import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express'
import { InvalidInputError, OverloadedError } from 'strongroom'
import type { Accounts, Caller } from './accounts.ts'

/** An Express application with sign-up, login and change of a password. */
export function createExpressApp(accounts: Accounts): Express {
  const app = express()
  app.use(express.json({ limit: '16kb' }))

  app.post('/sign-up', async (request, response) => {
    const { email, password } = fields(request.body, ['email', 'password'])
    const result = await accounts.signUp(email, password, callerOf(request, response))
    if (result.accepted) response.status(201).json({ id: result.id })
    else response.status(422).json({ fault: result.fault })
  })

  app.post('/login', async (request, response) => {
    const { email, password } = fields(request.body, ['email', 'password'])
    const id = await accounts.login(email, password, callerOf(request, response))
    if (id === undefined) response.status(401).json({ fault: 'wrong e-mail or password' })
    else response.json({ id }) // make the session here
  })

  app.post('/password', async (request, response) => {
    const { email, old, next } = fields(request.body, ['email', 'old', 'next'])
    const result = await accounts.change(email, old, next, callerOf(request, response))
    response.status(result.accepted ? 200 : 422).json(result)
  })

  app.use(onError)
  return app
}

const onError: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent || response.destroyed) return next(error)
  if (error instanceof OverloadedError) {
    response
      .set('Retry-After', String(Math.ceil(error.retryAfter / 1000)))
      .status(503)
      .json({ fault: 'busy' })
  } else if (error instanceof InvalidInputError) {
    response.status(400).json({ fault: 'bad request' })
  } else {
    response.status(500).json({ fault: 'failed' }) // and log the error
  }
}

function callerOf(request: Request, response: Response): Caller {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  return { address: request.ip ?? '', signal: gone.signal }
}

/** Strings only: a JSON body may hold anything. */
function fields<Name extends string>(body: unknown, names: readonly Name[]): Record<Name, string> {
  const bag = (body ?? {}) as Record<string, unknown>
  for (const name of names) {
    if (typeof bag[name] !== 'string') throw new InvalidInputError(`${name} must be a string`)
  }
  return bag as Record<Name, string>
}
