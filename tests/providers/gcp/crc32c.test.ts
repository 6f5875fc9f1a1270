import fc from 'fast-check'
import { crc32 } from 'hash-wasm'
import { expect, it } from 'vitest'
import { crc32c } from '../../../providers/gcp/crc32c.ts'

// RFC 3720 appendix B.4 and the check value of the catalogue of CRC algorithms.
it.each([
  ['123456789', 0xe3069283, Buffer.from('123456789')],
  ['32 zeros', 0x8a9136aa, Buffer.alloc(32)],
  ['32 ones', 0x62a8ab43, Buffer.alloc(32, 0xff)],
  ['0 to 31', 0x46dd794e, Buffer.from(Array.from({ length: 32 }, (_, index) => index))],
  ['nothing', 0, Buffer.alloc(0)],
])('the CRC-32C of %s is %i', (_, expected, bytes) => {
  expect(crc32c(bytes)).toBe(expected)
})

it('agrees with hash-wasm on any bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      expect(crc32c(bytes).toString(16).padStart(8, '0')).toBe(await crc32(bytes, 0x82f63b78))
    }),
  )
})
