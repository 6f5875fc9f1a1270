import { describe } from './bytes.ts'
import { ConfigError, InvalidInputError } from './errors.ts'

/**
 * Checks the address of a remote service as it stands in the configuration: https, or http to this machine alone
 * (`localhost`, `127.0.0.0/8`, `::1`), without user name, password, query or fragment.
 *
 * @param endpoint absolute URL
 * @param name what it is, for the message, for example `awsKms endpoint`
 * @throws InvalidInputError when it is no URL
 * @throws ConfigError when secrets would travel in the clear or stand in the address
 */
export function parseEndpoint(endpoint: string | URL, name: string): URL {
  if (typeof endpoint !== 'string' && !(endpoint instanceof URL)) {
    throw new InvalidInputError(`${name} must be a URL, received ${describe(endpoint)}`)
  }
  const url = URL.canParse(String(endpoint)) ? new URL(endpoint) : undefined
  if (url === undefined) throw new InvalidInputError(`${name} must be an absolute URL`)
  if (url.username !== '' || url.password !== '') throw new ConfigError(`${name} must not hold a user name or password`)
  if (url.search !== '' || url.hash !== '') throw new ConfigError(`${name} must not have a query or fragment`)
  if (url.protocol === 'https:') return url
  if (url.protocol !== 'http:') throw new ConfigError(`${name} must use https, not ${url.protocol}`)
  if (!isLoopback(url.hostname)) {
    throw new ConfigError(`${name} must use https: plain http is taken for this machine alone, not for ${url.hostname}`)
  }
  return url
}

/** Whether a host name, as `URL.hostname` spells it, is this machine. A name that only resolves to it is not. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
