import { describe, expect, it } from 'vitest'
import { isLoopback, parseEndpoint } from '../src/endpoint.ts'
import { ConfigError, InvalidInputError } from '../src/errors.ts'

describe('parseEndpoint', () => {
  it.each([
    'https://kms.eu-central-1.amazonaws.com',
    'http://localhost:8200',
    'http://127.0.0.1:5000/x',
    'http://127.8.9.1',
    'http://[::1]:80',
    'http://2130706433:9000', // the URL parser itself spells this 127.0.0.1
  ])('takes %s', (url) => {
    expect(parseEndpoint(url, 'endpoint').href).toContain('://')
  })

  it.each([
    'http://kms.internal',
    'http://169.254.169.254/latest',
    'http://0.0.0.0:8200',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
    'ftp://localhost',
    'file:///etc/passwd',
    'https://user:secret@host',
    'https://token@host',
    'https://host/?token=1',
    'https://host/#x',
  ])('refuses %s', (url) => {
    expect(() => parseEndpoint(url, 'endpoint')).toThrow(ConfigError)
  })

  it('names no password in its message', () => {
    expect(() => parseEndpoint('https://user:hunter2@host', 'endpoint')).toThrow(/^(?!.*hunter2)/)
  })

  it('refuses what is no URL, by type', () => {
    for (const bad of ['', 'kms', '//host', 7, null, undefined, {}]) {
      expect(() => parseEndpoint(bad as string, 'endpoint')).toThrow(InvalidInputError)
    }
  })

  it('takes a URL object', () => {
    expect(parseEndpoint(new URL('https://host'), 'endpoint').host).toBe('host')
  })
})

it('isLoopback goes by the address, never by what a name resolves to', () => {
  expect(['localhost', '127.0.0.1', '[::1]'].every(isLoopback)).toBe(true)
  expect(['myhost', 'localhost.', '127.0.0.1.nip.io', '[::ffff:7f00:1]', '0.0.0.0'].some(isLoopback)).toBe(false)
})
