import { Buffer } from 'node:buffer'
import { createDecipheriv } from 'node:crypto'
import { expect, test } from 'vitest'
import { aesGcm, keyTemplate } from '../../providers/pkcs11/mechanisms.ts'
import { hsmDouble, tokenJson } from './pkcs11.ts'

const codeOf = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return (error as { code?: number }).code
  }
}

test('AES-GCM of the double is AES-GCM', async () => {
  const json = tokenJson()
  const hsm = hsmDouble(json)
  hsm.C_Initialize({ flags: 2 })
  const session = hsm.C_OpenSession(Buffer.from([0]), 4)
  hsm.C_Login(session, 1, '1234')
  hsm.C_FindObjectsInit(session, keyTemplate('secret key', { label: 'a' }))
  const [key] = hsm.C_FindObjects(session, 2)
  hsm.C_FindObjectsFinal(session)
  const iv = Buffer.alloc(12, 1)
  hsm.C_EncryptInit(session, aesGcm(iv, Buffer.from('aad')), key as Uint8Array)
  const sealed = Buffer.from(await hsm.C_EncryptAsync(session, Buffer.from('hello'), new Uint8Array(64)))
  const secret = Buffer.from(JSON.parse(json).keys[0].secret, 'hex')
  const decipher = createDecipheriv('aes-256-gcm', secret, iv)
  decipher.setAAD(Buffer.from('aad')).setAuthTag(sealed.subarray(-16))
  expect(decipher.update(sealed.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8')).toBe('hello')
})

test('a session does one operation at a time, keys are hidden before login, and three wrong PINs lock', () => {
  const hsm = hsmDouble()
  expect(codeOf(() => hsm.C_GetSlotList(true))).toBe(400)
  hsm.C_Initialize({ flags: 2 })
  const session = hsm.C_OpenSession(Buffer.from([0]), 4)
  hsm.C_FindObjectsInit(session, keyTemplate('secret key', { id: Buffer.from([10]) }))
  expect(codeOf(() => hsm.C_FindObjectsInit(session, []))).toBe(144)
  expect(hsm.C_FindObjects(session, 2)).toEqual([])
  for (let tries = 0; tries < 3; tries++) expect(codeOf(() => hsm.C_Login(session, 1, 'x'))).toBe(160)
  expect(codeOf(() => hsm.C_Login(session, 1, '1234'))).toBe(164)
})

test('closing the last session logs out, and a lost session is invalid', () => {
  const hsm = hsmDouble()
  hsm.C_Initialize({ flags: 2 })
  const open = (): Uint8Array => hsm.C_OpenSession(Buffer.from([0]), 4)
  const first = open()
  hsm.C_Login(first, 1, '1234')
  expect(codeOf(() => hsm.C_Login(open(), 1, '1234'))).toBe(256)
  hsm.lose()
  expect(codeOf(() => hsm.C_CloseSession(first))).toBe(179)
  expect(codeOf(() => hsm.C_Login(open(), 1, '1234'))).toBe(undefined)
})
