import { describe } from '../bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { InvalidInputError } from '../errors.ts'

const LAST_MILLISECOND = 2 ** 48 - 1

/**
 * Makes a row id before the row is written, as encryption needs it: a UUID of version 7 (RFC 9562, section 5.7).
 *
 * @param milliseconds Unix time that the id begins with, 0 to 2^48 − 1; now if left out.
 * @returns 36 lower-case characters. Ids of different milliseconds sort by time; within one millisecond the order is random.
 *   The time can be read from the id; the other 74 bits are random.
 * @throws InvalidInputError `ERR_INVALID_INPUT` if the time is not such a number.
 */
export function uuidv7(milliseconds: number = Date.now()): string {
  if (!Number.isInteger(milliseconds) || milliseconds < 0 || milliseconds > LAST_MILLISECOND) {
    throw new InvalidInputError(
      `milliseconds must be a whole number from 0 to 2^48 - 1, received ${describe(milliseconds)}`,
    )
  }
  const bytes = randomBytes(16)
  bytes.writeUIntBE(milliseconds, 0, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
