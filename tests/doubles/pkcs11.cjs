'use strict'
const crypto = require('node:crypto')

/**
 * A token in memory with the calls of pkcs11js that are used: sessions with one operation each, a login that belongs to
 * all sessions, objects found by attributes, true AES-GCM and RSA-OAEP. CommonJS, so that a worker thread can load it
 * in place of pkcs11js. `load` takes the token as JSON: { label, pin, keys: [{ kind, label, id, secret | pem }], blockMs? }.
 */
const CKR = {
  GENERAL_ERROR: 5,
  DEVICE_REMOVED: 50,
  KEY_FUNCTION_NOT_PERMITTED: 104,
  OPERATION_ACTIVE: 144,
  OPERATION_NOT_INITIALIZED: 145,
  PIN_INCORRECT: 160,
  PIN_LOCKED: 164,
  SESSION_COUNT: 177,
  SESSION_HANDLE_INVALID: 179,
  USER_ALREADY_LOGGED_IN: 256,
  USER_NOT_LOGGED_IN: 257,
  CRYPTOKI_NOT_INITIALIZED: 400,
  CRYPTOKI_ALREADY_INITIALIZED: 401,
}
const CLASSES = { 'public key': 2, 'private key': 3, 'secret key': 4 }
const HASHES = { 544: 'sha1', 592: 'sha256', 608: 'sha384', 624: 'sha512' }
const MAX_SESSIONS = 16
const MAX_PINS = 3

function fail(name) {
  const error = new Error(`CKR_${name}`)
  error.name = 'Pkcs11Error'
  error.code = CKR[name]
  throw error
}

class PKCS11 {
  initialized = false
  loggedIn = false
  removed = false
  sessions = new Map()
  /** Names of return values for the next operations, in place of the work. */
  faults = []
  counts = { logins: 0, operations: 0, most: 0 }
  wrongPins = 0
  #next = 1
  #running = 0

  load(library) {
    this.token = JSON.parse(library)
  }

  /** Closes every session, which logs out: what a restart of the device or another process does. */
  lose() {
    this.sessions.clear()
    this.loggedIn = false
  }

  C_Initialize() {
    if (this.initialized) fail('CRYPTOKI_ALREADY_INITIALIZED')
    this.initialized = true
  }

  C_GetSlotList() {
    if (!this.initialized) fail('CRYPTOKI_NOT_INITIALIZED')
    return this.removed ? [] : [Buffer.from([0])]
  }

  C_GetTokenInfo() {
    return { label: this.token.label.padEnd(32) }
  }

  C_OpenSession() {
    if (this.removed) fail('DEVICE_REMOVED')
    if (this.sessions.size >= MAX_SESSIONS) fail('SESSION_COUNT')
    const handle = Buffer.alloc(8)
    handle.writeUInt32BE(this.#next++)
    this.sessions.set(handle.toString('hex'), {})
    return handle
  }

  C_CloseSession(handle) {
    this.#session(handle)
    this.sessions.delete(Buffer.from(handle).toString('hex'))
    if (this.sessions.size === 0) this.loggedIn = false
  }

  C_Login(handle, user, pin) {
    this.#session(handle)
    if (this.loggedIn) fail('USER_ALREADY_LOGGED_IN')
    this.counts.logins++
    if (this.wrongPins >= MAX_PINS) fail('PIN_LOCKED')
    if (user !== 1 || pin !== this.token.pin) {
      this.wrongPins++
      fail('PIN_INCORRECT')
    }
    this.loggedIn = true
  }

  C_FindObjectsInit(handle, template) {
    const session = this.#session(handle)
    if (session.found) fail('OPERATION_ACTIVE')
    const wanted = new Map(template.map(({ type, value }) => [type, value]))
    session.found = this.token.keys.flatMap((key, index) => {
      if (CLASSES[key.kind] !== wanted.get(0)) return []
      if (!this.loggedIn && key.kind !== 'public key') return []
      if (wanted.has(3) && wanted.get(3) !== key.label) return []
      if (wanted.has(258) && Buffer.from(wanted.get(258)).toString('hex') !== key.id) return []
      return [Buffer.from([index])]
    })
  }

  C_FindObjects(handle, max) {
    return this.#session(handle).found.slice(0, max)
  }

  C_FindObjectsFinal(handle) {
    this.#session(handle).found = undefined
  }

  C_EncryptInit(handle, mechanism, key) {
    this.#start(handle, mechanism, key)
  }

  C_DecryptInit(handle, mechanism, key) {
    this.#start(handle, mechanism, key)
  }

  C_EncryptAsync(handle, input, output) {
    return this.#finish(handle, output, ({ parameter }, key) => {
      if (key.pem) return crypto.publicEncrypt(oaep(key, parameter), input)
      const cipher = crypto.createCipheriv('aes-256-gcm', Buffer.from(key.secret, 'hex'), parameter.iv)
      cipher.setAAD(parameter.aad)
      return Buffer.concat([cipher.update(input), cipher.final(), cipher.getAuthTag()])
    })
  }

  C_DecryptAsync(handle, input, output) {
    return this.#finish(handle, output, ({ parameter }, key) => {
      if (key.pem) return crypto.privateDecrypt(oaep(key, parameter), input)
      const decipher = crypto.createDecipheriv('aes-256-gcm', Buffer.from(key.secret, 'hex'), parameter.iv)
      decipher.setAAD(parameter.aad)
      decipher.setAuthTag(input.subarray(-16))
      return Buffer.concat([decipher.update(input.subarray(0, -16)), decipher.final()])
    })
  }

  #session(handle) {
    if (!this.initialized) fail('CRYPTOKI_NOT_INITIALIZED')
    if (this.removed) fail('DEVICE_REMOVED')
    return this.sessions.get(Buffer.from(handle).toString('hex')) ?? fail('SESSION_HANDLE_INVALID')
  }

  #start(handle, mechanism, key) {
    const session = this.#session(handle)
    const fault = this.faults.shift()
    if (fault) fail(fault)
    if (session.operation) fail('OPERATION_ACTIVE')
    // As a call to a network HSM may: the thread waits.
    if (this.token.blockMs) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, this.token.blockMs)
    const object = this.token.keys[key[0]]
    if (!this.loggedIn && object.kind !== 'public key') fail('USER_NOT_LOGGED_IN')
    session.operation = { mechanism, object }
  }

  async #finish(handle, output, work) {
    const { operation } = this.#session(handle)
    if (!operation) fail('OPERATION_NOT_INITIALIZED')
    this.counts.operations++
    this.counts.most = Math.max(this.counts.most, ++this.#running)
    await new Promise((resolve) => setTimeout(resolve, 1))
    this.#running--
    this.#session(handle).operation = undefined
    try {
      const result = work(operation.mechanism, operation.object)
      output.set(result)
      return output.subarray(0, result.length)
    } catch {
      return fail('GENERAL_ERROR')
    }
  }
}

function oaep(key, { hashAlg }) {
  return { key: key.pem, padding: crypto.constants.RSA_PKCS1_OAEP_PADDING, oaepHash: HASHES[hashAlg] }
}

module.exports = { PKCS11 }
