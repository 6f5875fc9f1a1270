import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { Client } from 'pg'
import { startPostgres } from '../../tests/fixtures/postgres.ts'
import { csv } from './csv.ts'
import { Customers } from './customers.ts'
import { playLive } from './live.ts'
import { people } from './people.ts'
import { BrokenPromise, createStage } from './stage.ts'
import { play } from './story.ts'

interface DemoOptions {
  readonly csv?: string
  readonly rows: number
}

/** Rows of the table that is encrypted while it is written: enough for a job that can be killed on its way. */
const MOST_LIVE = 6000

const program = new Command('npm run demo --')
  .description('Encrypts, searches, attacks and rotates a table of customers in a real PostgreSQL.')
  .option('--csv <file>', 'your own table alone, with a header line; all columns but id and tenant are encrypted')
  .option('--rows <count>', 'how many customers to make up', rowCount, 20_000)
  .action(run)

await program.parseAsync()

async function run(options: DemoOptions): Promise<void> {
  const stage = createStage()
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-demo-'))
  let stop = async (): Promise<void> => {}
  try {
    const dataset = options.csv === undefined ? people(options.rows) : await csv(options.csv)
    stage.step('Start a PostgreSQL server and fill a table')
    const postgres = await startPostgres()
    const client = new Client({ connectionString: postgres.connectionString })
    stop = async () => {
      await client.end()
      await postgres.stop()
    }
    await client.connect()
    const customers = new Customers(client, dataset)
    await customers.create()
    const { rows } = await client.query('show server_version')
    stage.tell(`PostgreSQL ${rows[0].server_version} holds ${dataset.title}, in plaintext`)
    if (options.csv === undefined) {
      await playLive(stage, folder, postgres.connectionString, Math.min(options.rows * 3, MOST_LIVE))
    }
    await play({ stage, dataset, customers, folder })
  } catch (error) {
    const broken = error instanceof BrokenPromise
    console.error(broken ? `\nnot as promised: ${error.message}` : error)
    process.exitCode = 1
  } finally {
    await stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function rowCount(text: string): number {
  const rows = Number(text)
  if (!Number.isInteger(rows) || rows < 500 || rows > 10_000_000)
    throw new InvalidArgumentError('from 500 to 10,000,000')
  return rows
}
