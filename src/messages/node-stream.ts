import { Transform } from 'node:stream'
import type { KmsProvider } from '../kms.ts'
import { type OpenStreamOptions, openPump, type Pump, type SealStreamOptions, sealPump } from './stream.ts'

/** `sealStream` as a Node `Transform`, for `stream.pipeline`. @throws InvalidInputError */
export function sealNodeStream(kms: KmsProvider | readonly KmsProvider[], options: SealStreamOptions = {}): Transform {
  return nodeStream(sealPump(kms, options), options.signal)
}

/** `openStream` as a Node `Transform`, for `stream.pipeline`. @throws InvalidInputError */
export function openNodeStream(kms: KmsProvider | readonly KmsProvider[], options: OpenStreamOptions = {}): Transform {
  return nodeStream(openPump(kms, options), options.signal)
}

/** A Node stream around a pump. */
export function nodeStream(pump: Pump, signal: AbortSignal | undefined): Transform {
  return new Transform({
    ...(signal && { signal }),
    construct(done) {
      pump.start().then(() => done(), done)
    },
    transform(chunk, _encoding, done) {
      try {
        const later = pump.push(chunk, (bytes) => this.push(bytes))
        if (later === undefined) done()
        else later.then(() => done(), done)
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      try {
        pump.end((bytes) => this.push(bytes))
        done()
      } catch (error) {
        done(error as Error)
      }
    },
    destroy(error, done) {
      pump.wipe()
      done(error)
    },
  })
}
