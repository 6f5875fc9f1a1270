import type { StrongroomConfig } from '../config.ts'
import { defineStrongroom } from '../config.ts'
import type { MaxAgeDays } from '../doctor/ages.ts'
import { type DoctorReport, doctor } from '../doctor/doctor.ts'
import { parseEndpoint } from '../endpoint.ts'
import { KEY_PURPOSES, type KeyPurpose } from '../key-store.ts'
import { decimal } from './decimal.ts'
import { findConfig, loadConfig } from './load-config.ts'
import { type Output, ProblemsFound } from './output.ts'
import { table } from './table.ts'
import { type Command, InvalidArgumentError } from './vendor.ts'

interface Options {
  readonly json?: true
  readonly maxAge?: Partial<MaxAgeDays>
  readonly maxKeys?: number
  readonly clock?: URL
}

const CLOCK_TIMEOUT_MS = 10_000

/** `strongroom doctor`: whether everything that the configuration names works. Changes nothing. */
export function addDoctor(program: Command, output: Output): void {
  program
    .command('doctor')
    .description(
      'Check every KMS, the key store, the keys, the tables and the clock. Changes nothing; ends with 1 on a problem.',
    )
    .option('--max-age <days>', 'oldest active key, as data=90; may be given again', parseAge)
    .option('--max-keys <count>', 'active keys of each purpose to open at most (default: 10,000)', parseCount)
    .option('--clock <url>', 'compare the clock with the Date header of this server', parseClock)
    .option('--json', 'print the report for programs')
    .action(async (options: Options, command: Command) => {
      const path = findConfig(process.cwd(), command.optsWithGlobals<{ config?: string }>().config)
      const config = defineStrongroom((await loadConfig(path)) as StrongroomConfig)
      try {
        const { maxAge, maxKeys, clock } = options
        const report = await doctor(config, {
          ...(maxAge !== undefined && { maxAgeDays: maxAge }),
          ...(maxKeys !== undefined && { maxKeys }),
          ...(clock !== undefined && { reference: () => readClock(clock) }),
        })
        if (options.json) output.json(report)
        else print(report, output)
        if (!report.healthy) throw new ProblemsFound()
      } finally {
        const providers = Array.isArray(config.kms) ? config.kms : [config.kms]
        const tables = Object.values(config.tables ?? {})
        await Promise.allSettled([...providers, config.store, ...tables].map((part) => part?.close?.()))
      }
    })
}

function print({ healthy, findings }: DoctorReport, output: Output): void {
  const rows = findings.map(({ check, subject, status, message, ms }) => {
    const detail = ms === undefined ? message : `${message} (${ms} ms)`
    return [check, subject, status === 'problem' ? 'PROBLEM' : status, detail]
  })
  output.result(table(output, ['check', 'of', 'result', 'what was found'], rows))
  const { green, red } = output.colours
  const problems = findings.filter(({ status }) => status === 'problem').length
  output.result(healthy ? green('healthy') : red(`${problems} ${problems === 1 ? 'problem' : 'problems'}`))
  for (const hint of new Set(findings.flatMap(({ hint }) => hint ?? []))) output.hint(hint)
}

/** The `Date` header of a server that the operator named. */
async function readClock(url: URL): Promise<Date> {
  const signal = AbortSignal.timeout(CLOCK_TIMEOUT_MS)
  const { headers } = await fetch(url, { method: 'HEAD', redirect: 'error', signal })
  const date = new Date(headers.get('date') ?? '')
  if (Number.isNaN(date.getTime())) throw new Error(`${url.host} sends no Date header`)
  return date
}

function parseAge(text: string, previous: Partial<MaxAgeDays> | undefined): Partial<MaxAgeDays> {
  const [, purpose = '', days] = /^([a-z]+)=(\d{1,5})$/.exec(text) ?? []
  if (!KEY_PURPOSES.includes(purpose as KeyPurpose))
    throw new InvalidArgumentError(`write PURPOSE=DAYS, PURPOSE one of ${KEY_PURPOSES.join(', ')}`)
  return { ...previous, [purpose]: Number(days) }
}

function parseCount(text: string): number {
  const count = decimal(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('a whole number from 1')
  return count
}

function parseClock(text: string): URL {
  try {
    return parseEndpoint(text, '--clock')
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : 'not a URL')
  }
}
