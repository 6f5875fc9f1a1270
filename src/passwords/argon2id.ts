import type { Buffer } from 'node:buffer'
import {
  assertArray,
  assertCallback,
  assertMethods,
  assertOptions,
  assertText,
  describe,
  equalBytes,
  wipe,
} from '../bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { ConfigError, InvalidInputError } from '../errors.ts'
import { Admission, type AdmissionOptions } from './admission.ts'
import { type Argon2Parameters, type Argon2Preset, argon2Presets, assertParameters } from './argon2-parameters.ts'
import { argon2Runner } from './argon2-runner.ts'
import { encodeArgon2id } from './argon2-string.ts'
import type { Argon2Engine } from './engine.ts'
import { inspectStored } from './inspect.ts'
import { legacySchemes } from './legacy/index.ts'
import type { Argon2EngineName } from './load-engine.ts'
import { type PasswordNormalization, passwordBytes, passwordCandidates } from './password-bytes.ts'
import { assertPasswordOptions, type PasswordHasher, type PasswordVerification } from './password-hasher.ts'
import { isPeppered } from './pepper.ts'
import { type ReadHash, storedReader } from './read-stored.ts'
import type { LegacyScheme } from './stored-hash.ts'
import { encodeWrapped } from './wrapped-hash.ts'

/** How passwords are hashed. Everything has a safe default. */
export interface Argon2idOptions extends Partial<Argon2Parameters> {
  /** Named parameters; single values beside it replace those of the preset. Default `default`: 64 MiB, 3 passes, 1 lane. */
  readonly preset?: Argon2Preset
  /** Lets parameters below the OWASP minimum through: for tests, and for nothing else. */
  readonly dangerouslyAllowBelowOwaspMinimum?: boolean
  /** Which Argon2 computes. Default: the fastest that is installed. */
  readonly engine?: Argon2EngineName | Argon2Engine
  /** How much is hashed at once, and how long others wait. */
  readonly admission?: AdmissionOptions
  /** The schemes of other systems that `verify` reads. Default `legacySchemes`; an empty list reads Argon2 alone. */
  readonly legacy?: readonly LegacyScheme[]
  /** Unicode form of new passwords. Default `NFC`. It may be changed at any time: `verify` tries the other forms too. */
  readonly normalization?: PasswordNormalization
  /** Told when stored text could not be read, which `verify` answers like a wrong password. For a log or a counter. */
  readonly onUnreadable?: (userId: string | undefined) => void
}

const SALT_LENGTH = 16
const HASH_LENGTH = 32

/**
 * Hashes and verifies passwords with Argon2id (RFC 9106), reads the hashes of other systems, and says when to replace
 * one. Needs no Strongroom, no key and no configuration.
 *
 * @throws InvalidInputError when an option is out of range, or the parameters are below the OWASP minimum
 */
export function argon2id(options: Argon2idOptions = {}): PasswordHasher {
  assertOptions(options, 'the options')
  const current = parametersOf(options)
  const { normalization = 'NFC', onUnreadable, legacy = legacySchemes } = options
  if (!['NFC', 'NFKC', 'none'].includes(normalization)) {
    throw new InvalidInputError(`normalization must be NFC, NFKC or none, received ${describe(normalization)}`)
  }
  assertArray(legacy, 'legacy')
  for (const scheme of legacy) assertMethods(scheme, ['parse'], 'a legacy scheme')
  assertCallback(onUnreadable, 'onUnreadable')
  const admission = new Admission(options.admission)
  if (current.memoryKiB > admission.memoryKiB) {
    throw new InvalidInputError(
      `one hash takes ${current.memoryKiB} KiB, more than the whole budget: raise admission.memoryMiB`,
    )
  }
  const run = argon2Runner(options.engine)
  const standIn = encodeArgon2id(current, randomBytes(SALT_LENGTH), randomBytes(HASH_LENGTH))
  const read = storedReader({ current, legacy, run })
  const cost = { memoryKiB: current.memoryKiB, threads: current.parallelism }

  return {
    async hash(password, call = {}) {
      assertPasswordOptions(call)
      const bytes = passwordBytes(password, normalization)
      try {
        return await admission.run(cost, () => newHash(bytes), call)
      } finally {
        wipe(bytes)
      }
    },

    async verify(password, stored, call = {}) {
      assertPasswordOptions(call)
      const candidates = passwordCandidates(password, normalization)
      try {
        const known = stored === undefined || stored === null ? undefined : readAdmissible(stored, call.userId)
        if (candidates.length === 0) return { valid: false }
        // An unknown user is read and checked as a known one is, against a hash that no password has.
        const hash = known ?? (readAny(standIn) as ReadHash)
        const verification = await admission.run(joint(hash), () => check(hash, candidates), call)
        return known === undefined ? { valid: false } : verification
      } finally {
        wipe(...candidates)
      }
    },

    needsRehash: (stored) => !readAny(stored)?.current,

    async wrapLegacy(stored, call = {}) {
      assertPasswordOptions(call)
      const hash = readAny(stored)
      if (hash === undefined || hash.memoryKiB > admission.memoryKiB) {
        throw new InvalidInputError('the stored hash cannot be read, so it cannot be wrapped')
      }
      if (!hash.belowFloor || hash.wrapped) {
        throw new InvalidInputError(
          `a stored hash that is ${hash.wrapped ? 'wrapped' : 'strong'} already is not wrapped`,
        )
      }
      const argon2 = await admission.run(cost, () => newHash(hash.digest), call)
      return encodeWrapped({ settings: hash.settings, argon2 })
    },

    inspect(stored) {
      assertText(stored, 'the stored hash')
      return inspectStored(stored, read)
    },
  }

  async function newHash(password: Uint8Array): Promise<string> {
    const salt = randomBytes(SALT_LENGTH)
    return encodeArgon2id(current, salt, await compute(password, salt))
  }

  function compute(password: Uint8Array, salt: Buffer): Promise<Buffer> {
    return run({ type: 'argon2id', version: 19, ...current, hashLength: HASH_LENGTH, password, salt })
  }

  async function check(hash: ReadHash, candidates: readonly Buffer[]): Promise<PasswordVerification> {
    for (const [form, candidate] of candidates.entries()) {
      const digest = await hash.compute(candidate)
      if (digest === undefined || !equalBytes(digest, hash.digest)) continue
      if (hash.current && form === 0) return { valid: true }
      return { valid: true, rehash: await newHash(candidates[0] as Buffer) }
    }
    // An old hash is followed by the work of a new one when the password is right, so also when it is wrong.
    if (!hash.current) for (const candidate of candidates) await newHash(candidate)
    return { valid: false }
  }

  /** What it takes to compute an old hash and a new one after it. */
  function joint(hash: ReadHash) {
    return {
      memoryKiB: Math.max(hash.memoryKiB, cost.memoryKiB),
      threads: Math.max(hash.threads ?? 1, cost.threads),
    }
  }

  function readAdmissible(stored: string, userId: string | undefined): ReadHash | undefined {
    const hash = readAny(stored)
    if (hash !== undefined && hash.memoryKiB <= admission.memoryKiB) return hash
    onUnreadable?.(userId)
    return undefined
  }

  function readAny(stored: string): ReadHash | undefined {
    assertText(stored, 'the stored hash')
    if (isPeppered(stored)) {
      throw new ConfigError('the stored password hash is peppered: give the pepper that it was written with')
    }
    return read(stored)
  }
}

function parametersOf(options: Argon2idOptions): Argon2Parameters {
  const { preset = 'default' } = options
  if (!Object.keys(argon2Presets).includes(preset)) {
    throw new InvalidInputError(`preset must be ${Object.keys(argon2Presets).join(', ')}, received ${describe(preset)}`)
  }
  const {
    memoryKiB = argon2Presets[preset].memoryKiB,
    passes = argon2Presets[preset].passes,
    parallelism = argon2Presets[preset].parallelism,
  } = options
  const parameters = { memoryKiB, passes, parallelism }
  assertParameters(parameters, options.dangerouslyAllowBelowOwaspMinimum === true)
  return parameters
}
