import { assertText } from '../../src/checks.ts'
import { InvalidInputError } from '../../src/errors.ts'

const MAX_NAMESPACE = 64
const MAX_NAME = 2048
/** The AWS Encryption SDK keeps this prefix for AWS KMS alone. */
const RESERVED_PREFIX = 'aws-kms'

/** Checks the two names that every wrapped key carries in clear. @throws InvalidInputError */
export function assertNames(namespace: string, name: string): void {
  assertName(namespace, 'namespace', MAX_NAMESPACE)
  assertName(name, 'name', MAX_NAME)
  if (namespace.startsWith(RESERVED_PREFIX)) {
    throw new InvalidInputError(`namespace must not start with "${RESERVED_PREFIX}": that is for AWS KMS alone`)
  }
}

/** UTF-8 as text, or undefined when the bytes are none. */
export function parseUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes)
  } catch {
    return undefined
  }
}

function assertName(value: string, what: string, max: number): void {
  assertText(value, what)
  if (value.length === 0 || value.length > max) {
    throw new InvalidInputError(`${what} must be 1 to ${max} characters, received ${value.length}`)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
