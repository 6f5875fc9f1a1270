import { writeFileSync } from 'node:fs'
import { shred } from '../../src/rotation/shred.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { configurePatients, patient } from './patients.ts'

/** Shreds a patient, and dies without warning at the n-th step; writes the name of each step into a file. */
const [folder, connectionString, id, dieAt, trace] = process.argv.slice(2) as [string, string, string, string, string]
const names: string[] = []
let armed = false

function step(name: string): void {
  if (!armed) return
  names.push(name)
  writeFileSync(trace, JSON.stringify(names))
  if (names.length === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
}

function watch(table: Table): Table {
  return {
    ...table,
    write: async (changes, job) => {
      step('before write')
      const made = await table.write(changes, job)
      step('after write')
      return made
    },
  }
}

const config = configurePatients(folder, connectionString, step)
const { commit } = config.store
config.store.commit = async (changes) => {
  step('before commit')
  const result = await commit(changes)
  step('after commit')
  return result
}
const { patients, visits } = config.tables as { patients: Table; visits: Table }
const room = await openStrongroom(config)
armed = true
const scope = { tenant: patient(Number(id)).clinic, subject: id }
const watched = { ...config, tables: { patients: watch(patients), visits: watch(visits) } }
const receipt = await shred(watched, room.keys, scope, { reason: 'request 118' })
armed = false
process.stdout.write(JSON.stringify(receipt))
await room.close()
