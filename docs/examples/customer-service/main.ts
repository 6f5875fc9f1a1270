import { openStrongroom, passwordPolicy } from 'strongroom'
import { openAccounts } from './accounts.ts'
import { openDatabase } from './database.ts'
import { createServer } from './server.ts'
import { openSessions } from './sessions.ts'
import { settings } from './settings.ts'
import config from './strongroom.config.ts'

const room = await openStrongroom(config)
const db = openDatabase(settings.databaseUrl, room)
const server = createServer({
  room,
  db,
  accounts: openAccounts(db, room, passwordPolicy()),
  sessions: openSessions(db),
})
console.log(`listening on ${await server.listen({ port: settings.port })}`)

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)

/** Answers what was asked, then wipes the keys. */
async function stop(): Promise<void> {
  await server.close()
  await db.destroy()
  await room.close()
}
