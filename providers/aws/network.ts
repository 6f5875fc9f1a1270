/** What a failure below HTTP means: the service cannot be reached now, or never as configured. */
export function networkFault(error: unknown): { kind: 'unavailable' | 'misconfigured'; message: string } | undefined {
  const { name, code } = (error ?? {}) as { name?: string; code?: unknown }
  if (name === 'TimeoutError') return { kind: 'unavailable', message: 'did not answer in time' }
  if (typeof code !== 'string') return undefined
  if (UNREACHABLE.has(code)) return { kind: 'unavailable', message: `cannot be reached: ${code}` }
  if (/^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_SSL)/.test(code)) {
    return { kind: 'misconfigured', message: `its certificate or TLS is refused: ${code}` }
  }
  return undefined
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
])
