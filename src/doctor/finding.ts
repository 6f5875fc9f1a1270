/** One thing that the doctor looked at. */
export interface Finding {
  /** What was looked at, stable across releases, for example `kms.unwrap`. */
  readonly check: string
  /** Which one: a KMS key, a key store, a purpose of keys. */
  readonly subject: string
  /** `ok`; `warning`, which asks for attention; `problem`, which breaks or will break something; `skipped`, which could not be told. */
  readonly status: 'ok' | 'warning' | 'problem' | 'skipped'
  /** What was found, in words. */
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
  /** How long it took, in ms. */
  readonly ms?: number
}

/** What a step of the doctor found; `hint` and `ms` are left out when undefined. */
export function finding(
  check: string,
  subject: string,
  status: Finding['status'],
  message: string,
  more: { hint?: string | undefined; ms?: number | undefined } = {},
): Finding {
  const { hint, ms } = more
  return {
    check,
    subject,
    status,
    message,
    ...(hint !== undefined && { hint }),
    ...(ms !== undefined && { ms: Math.round(ms * 10) / 10 }),
  }
}

/** The message of an error: everything thrown on purpose is fit to be shown, and of anything else only its message is. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  return error.name === 'TimeoutError' ? 'no answer in time' : error.message
}
