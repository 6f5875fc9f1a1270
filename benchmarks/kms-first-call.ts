import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { GcpKmsDouble } from '../tests/doubles/gcp-kms.ts'
import { median } from './measure.ts'

/** Milliseconds from the import of the provider to the first wrapped key, in a new process; median of some. */
export interface FirstCallReport {
  readonly grpcMs: number
  readonly restMs: number
}

/** Google Cloud KMS on the loopback interface: the vendor's gRPC client, and the REST transport. */
export async function firstCallRun(processes: number): Promise<FirstCallReport> {
  const double = await new GcpKmsDouble().start()
  const { name } = double.createKey()
  const run = async (transport: string): Promise<number> => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', SCRIPT, transport, name]
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...args, String(double.grpcPort), double.restEndpoint, double.token],
      { cwd: import.meta.dirname, env: { ...process.env, METADATA_SERVER_DETECTION: 'none' } },
    )
    return Number(stdout.trim())
  }
  const times = { grpc: [] as number[], rest: [] as number[] }
  for (let process = 0; process < processes; process++) {
    for (const transport of ['grpc', 'rest'] as const) times[transport].push(await run(transport))
  }
  await double.stop()
  return { grpcMs: median(times.grpc), restMs: median(times.rest) }
}

const SCRIPT = `
  const [transport, keyName, port, endpoint, token] = process.argv.slice(1)
  const start = performance.now()
  const { gcpKms } = await import('../providers/gcp/index.ts')
  const connect = async () => {
    const [{ KeyManagementServiceClient }, { credentials }] = await Promise.all([import('@google-cloud/kms'), import('@grpc/grpc-js')])
    return new KeyManagementServiceClient({ apiEndpoint: '127.0.0.1', port: Number(port), sslCreds: credentials.createInsecure() })
  }
  const kms = transport === 'grpc'
    ? gcpKms({ keyName, client: await connect() })
    : gcpKms({ keyName, transport: 'rest', endpoint, accessToken: async () => token })
  await kms.wrap(new Uint8Array(32), { context: {} })
  console.log(performance.now() - start)
  process.exit(0)
`
