import { Buffer } from 'node:buffer'

/** Argon2id over an old digest: `$strongroom-wrapped$<settings>$argon2id$v=19$…`. */
export interface WrappedHash {
  /** The old hash with a digest of zeros. */
  readonly settings: string
  /** The Argon2id string of the old digest. */
  readonly argon2: string
}

const WRAPPED_PREFIX = '$strongroom-wrapped$'

/** Writes a wrapped hash; the settings are base64url, because they hold `$` themselves. */
export function encodeWrapped({ settings, argon2 }: WrappedHash): string {
  return `${WRAPPED_PREFIX}${Buffer.from(settings, 'utf8').toString('base64url')}${argon2}`
}

/** Takes a wrapped hash apart; neither part is judged. @returns undefined for any other text */
export function parseWrapped(text: string): WrappedHash | undefined {
  if (!text.startsWith(WRAPPED_PREFIX)) return undefined
  const end = text.indexOf('$', WRAPPED_PREFIX.length)
  const encoded = text.slice(WRAPPED_PREFIX.length, Math.max(end, 0))
  const settings = Buffer.from(encoded, 'base64url')
  if (encoded === '' || settings.toString('base64url') !== encoded) return undefined
  return { settings: settings.toString('utf8'), argon2: text.slice(end) }
}
