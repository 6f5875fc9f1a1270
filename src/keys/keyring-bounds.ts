import { ConfigError } from '../errors.ts'

const BOUNDS = {
  ttl: [1_000, 86_400_000],
  grace: [0, 604_800_000],
  refreshInterval: [100, 3_600_000],
  maxKeys: [1, 10_000_000],
} as const

/** Refuses numbers of `keyring` out of their range. @throws ConfigError */
export function assertKeyring(options: { readonly [Option in keyof typeof BOUNDS]?: number }): void {
  for (const [option, [least, most]] of Object.entries(BOUNDS)) {
    const value = options[option as keyof typeof BOUNDS]
    if (value === undefined) continue
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new ConfigError(`keyring.${option} must be a whole number from ${least} to ${most}`)
    }
  }
}
