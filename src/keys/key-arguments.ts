import { assertCallback, assertFlag, assertObject, assertSignal, assertText, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { KEY_STATES, type KeyPurpose, type KeyState } from '../key-store.ts'

const ID = /^[0-9a-f]{32}$/
const MAX_REASON = 1000

/** Refuses anything but a key id. @throws InvalidInputError */
export function assertKeyId(id: unknown, name = 'id'): asserts id is string {
  if (typeof id !== 'string' || !ID.test(id)) {
    const received = typeof id === 'string' ? `a string of ${id.length}` : describe(id)
    throw new InvalidInputError(`${name} must be a key id, 32 hexadecimal characters, received ${received}`)
  }
}

/** Refuses a purpose that is not one of these. @throws InvalidInputError */
export function assertPurpose(purpose: unknown, allowed: readonly KeyPurpose[]): void {
  if (purpose !== undefined && !allowed.includes(purpose as KeyPurpose)) {
    throw new InvalidInputError(`purpose must be one of ${allowed.join(', ')}, received ${describe(purpose)}`)
  }
}

/** Refuses what is not a state of a key. @throws InvalidInputError */
export function assertState(state: unknown): void {
  if (state !== undefined && !KEY_STATES.includes(state as KeyState)) {
    throw new InvalidInputError(`state must be one of ${KEY_STATES.join(', ')}, received ${describe(state)}`)
  }
}

/** Refuses a reason that is not a short text. @throws InvalidInputError */
export function assertReason(reason: unknown): void {
  if (reason === undefined) return
  assertText(reason, 'reason')
  if (reason.length > MAX_REASON) throw new InvalidInputError(`reason must have at most ${MAX_REASON} characters`)
}

/** Refuses options that are not an object, or whose `signal`, `onProgress` or `dryRun` is of another kind. @throws InvalidInputError */
export function assertOptions(options: object): void {
  assertObject(options, 'options')
  const { signal, onProgress, dryRun }: { signal?: unknown; onProgress?: unknown; dryRun?: unknown } = options
  assertFlag(dryRun, 'dryRun')
  assertSignal(signal)
  assertCallback(onProgress, 'onProgress')
}
