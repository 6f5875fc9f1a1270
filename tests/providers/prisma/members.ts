import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { defineRecord, json, openStrongroom, type Strongroom, text } from '../../../src/index.ts'

/** A record without tenants, found by a unique index; the last digits of the phone are a lossy one. */
export const members = defineRecord(
  'members',
  {
    email: text({ index: { column: 'email_index', transform: 'email', unique: true } }),
    phone: text({
      nullable: 'visible',
      index: { column: 'phone_last4', transform: 'last4', rows: 1_000_000, nulls: 'null' },
    }),
  },
  { id: 'id', plain: ['role', 'logins', 'invitedById'] },
)

/** What a secret says; its key is that of the member. */
export interface Body {
  readonly title: string
}

export const secrets = defineRecord('secrets', { body: json<Body>() }, { id: 'id', subject: 'memberId' })

export const memberRecords = { members, secrets }

export function openMembers(): Promise<Strongroom<typeof memberRecords>> {
  const config = { name: 'suite', kms: memoryKms(), store: memoryKeyStore(), records: memberRecords }
  return openStrongroom(config, { init: true })
}
