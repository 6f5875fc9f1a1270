import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { rawAes, rawRsa } from 'strongroom/raw'
import { describe, expect, it } from 'vitest'
import { DecryptionError } from '../../src/errors.ts'
import { openMessage } from '../../src/messages/message.ts'
import { openStream } from '../../src/messages/stream.ts'
import { collect, streamOf } from './streams.ts'

interface Vector {
  readonly comment: string
  readonly keys: readonly ('aes-256' | 'rsa-2048')[]
  readonly context?: Record<string, string>
  readonly given?: Record<string, string>
  readonly legacySuites?: boolean
  readonly message: string
  readonly recipients?: string
  readonly plaintext: string | null
}

const file = JSON.parse(readFileSync(new URL('../vectors/messages.json', import.meta.url), 'utf8')) as {
  keys: { 'aes-256': string; 'rsa-2048': string }
  vectors: Vector[]
}
const providers = {
  'aes-256': rawAes({ namespace: 'vectors', name: 'aes-256', key: Buffer.from(file.keys['aes-256'], 'base64') }),
  'rsa-2048': rawRsa({ namespace: 'vectors', name: 'rsa-2048', privateKey: file.keys['rsa-2048'] }),
}

describe('a frozen message', () => {
  it.each(file.vectors.map((vector) => [vector.comment, vector] as const))('%s', async (_comment, vector) => {
    const kms = vector.keys.map((name) => providers[name])
    const message = Buffer.from(vector.message, 'base64')
    const options = {
      context: vector.given ?? {},
      legacySuites: vector.legacySuites ?? false,
      ...(vector.recipients !== undefined && { recipients: Buffer.from(vector.recipients, 'base64') }),
    }
    const streamed = () => collect(streamOf(message, 13).pipeThrough(openStream(kms, options)))
    if (vector.plaintext === null) {
      await expect(openMessage(kms, message, options)).rejects.toThrow(DecryptionError)
      await expect(streamed()).rejects.toThrow(DecryptionError)
      return
    }
    const opened = await openMessage(kms, message, options)
    expect(opened.plaintext.toString('base64')).toBe(vector.plaintext)
    expect({ ...opened.context }).toEqual(vector.context ?? {})
    expect((await streamed()).toString('base64')).toBe(vector.plaintext)
  })
})
