import { looksEncrypted } from '../src/format/field.ts'
import type { AnyPrisma } from '../tests/providers/prisma/clients.ts'

interface Call {
  readonly args: unknown
  query(args: unknown): Promise<unknown>
}

/**
 * Stands as another extension between Strongroom's and Prisma, and tells what Prisma itself takes. Two runs of Prisma differ by
 * more than encryption takes, so that the difference of many is no measure of it.
 */
export class Probe {
  /** Processor time of this process between the last call of Prisma and its answer, in ms. */
  lastMs = 0

  /** A client whose first extension has this one behind it: what an application adds later stands before that of Strongroom. */
  behindFirstOf(client: AnyPrisma): AnyPrisma {
    const extended = (first: unknown) => client.$extends(first).$extends({ query: { $allOperations: this.#measured } })
    return new Proxy(client, {
      get: (target, name) => (name === '$extends' ? extended : Reflect.get(target, name, target)),
    })
  }

  readonly #measured = async ({ args, query }: Call): Promise<unknown> => {
    const start = process.cpuUsage()
    const result = await query(args)
    const { user, system } = process.cpuUsage(start)
    this.lastMs = (user + system) / 1_000
    const [row] = (args as { data?: unknown[] }).data ?? (result as unknown[])
    if (!looksEncrypted((row as { email: unknown }).email)) throw new Error('the probe is not behind the encryption')
    return result
  }
}
