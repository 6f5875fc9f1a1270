import { createRequire } from 'node:module'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { ConfigError } from '../../src/errors.ts'
import type { Pkcs11Call, Pkcs11Runner } from './module.ts'

/**
 * What the worker runs. Plain text, so that it needs no file beside the bundle. Initialising and starting an operation
 * are synchronous calls in pkcs11js and may wait for a network HSM: here they hold up nobody.
 */
const SOURCE = `
const { parentPort, workerData } = require('node:worker_threads')
const { PKCS11 } = require(workerData.pkcs11js)
let token
const wipe = (value) => value instanceof Uint8Array ? value.fill(0) : Array.isArray(value) && value.forEach(wipe)
parentPort.on('message', async ({ id, calls }) => {
  const results = []
  try {
    if (!token) {
      const made = new PKCS11()
      made.load(workerData.library)
      token = made
    }
    for (const [method, ...args] of calls) results.push(await token[method](...args))
    parentPort.postMessage({ id, results })
  } catch (error) {
    parentPort.postMessage({ id, error: { name: error.name, message: error.message, code: error.code } })
  } finally {
    calls.forEach(wipe)
    results.forEach(wipe)
  }
})
`

const DRAIN_MS = 5_000
const DRAIN_STEP_MS = 5

interface Reply {
  readonly id: number
  readonly results?: unknown[]
  readonly error?: { name: string; message: string; code?: unknown }
}

interface Pending {
  readonly resolve: (results: unknown[]) => void
  readonly reject: (error: Error) => void
}

/** Runs the calls in a worker thread of its own, which does not keep the process alive while it has nothing to do. */
export class Pkcs11Worker implements Pkcs11Runner {
  readonly #library: string
  readonly #pkcs11js: string
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | undefined
  #next = 0

  constructor(library: string, pkcs11js: string) {
    this.#library = library
    this.#pkcs11js = pkcs11js
  }

  /** @throws ConfigError when pkcs11js is not installed; what pkcs11js throws, with its `code` */
  run(calls: readonly Pkcs11Call[]): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      const worker = this.#start()
      const id = this.#next++
      this.#pending.set(id, { resolve, reject })
      worker.ref()
      worker.postMessage({ id, calls })
    })
  }

  /** Ends the thread when its calls have ended: to end it within a call of the vendor's library may crash the process. */
  async close(): Promise<void> {
    const worker = this.#worker
    const deadline = performance.now() + DRAIN_MS
    while (this.#pending.size > 0 && performance.now() < deadline) await setTimeout(DRAIN_STEP_MS)
    await worker?.terminate()
  }

  #start(): Worker {
    if (this.#worker) return this.#worker
    const workerData = { library: this.#library, pkcs11js: resolvePkcs11js(this.#pkcs11js) }
    const worker = new Worker(SOURCE, { eval: true, workerData, env: {}, stdin: false })
    worker.on('message', (reply: Reply) => this.#settle(worker, reply))
    worker.on('error', (error) => this.#end(worker, error))
    worker.on('exit', () => this.#end(worker, new Error('the worker thread of the HSM ended')))
    this.#worker = worker
    return worker
  }

  #settle(worker: Worker, { id, results, error }: Reply): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) worker.unref()
    if (results) pending?.resolve(results)
    else pending?.reject(Object.assign(new Error(error?.message ?? ''), error))
  }

  #end(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}

function resolvePkcs11js(specifier: string): string {
  try {
    return createRequire(import.meta.url).resolve(specifier)
  } catch (error) {
    throw new ConfigError('pkcs11Hsm needs pkcs11js: npm install pkcs11js', { cause: error })
  }
}
