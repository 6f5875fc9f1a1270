import { DataTypes, type Sequelize } from 'sequelize'
import { expectTypeOf, test } from 'vitest'
import { type EncryptedInstance, encryptedAttributes, encryptedModel } from '../../providers/sequelize/index.ts'
import { bigint, date, defineRecord, json, type Strongroom, text } from '../../src/index.ts'

const users = defineRecord(
  'users',
  {
    email: text({ index: { column: 'email_index', transform: 'email', unique: true } }),
    born: date({ nullable: true }),
    balance: bigint(),
    notes: json<string[]>(),
  },
  { id: 'id', tenant: 'org', plain: ['role'] },
)
interface Columns {
  id: string
  org: string
  role: string
}
declare const room: Strongroom<{ users: typeof users }>
declare const sequelize: Sequelize
const open = () => {
  const User = sequelize.define<EncryptedInstance<typeof users, Columns, 'id'>>('User', {
    id: { type: DataTypes.STRING, primaryKey: true },
    org: DataTypes.STRING,
    role: DataTypes.STRING,
    ...encryptedAttributes(users),
  })
  return { User, users: encryptedModel(User, room.records.users) }
}
type Opened = ReturnType<typeof open>
const row = { org: 'acme', role: 'x', email: 'a@b', balance: 1n, notes: ['x'] }

test('an instance shows encrypted columns as what they are', () => {
  ;async (opened: Opened) => {
    const user = await opened.User.findByPk('x', { rejectOnEmpty: true })
    expectTypeOf(user.email).toEqualTypeOf<string>()
    expectTypeOf(user.born).toEqualTypeOf<Date | null>()
    expectTypeOf(user.balance).toEqualTypeOf<bigint>()
    expectTypeOf(user.notes).toEqualTypeOf<string[]>()
    expectTypeOf(user.role).toEqualTypeOf<string>()
    // @ts-expect-error a number is no bigint
    user.balance = 1
    // @ts-expect-error index columns are never there
    user.email_index
  }
})

test('a new row has all fields, in their types', () => {
  ;async ({ User }: Opened) => {
    await User.create(row)
    await User.bulkCreate([{ ...row, id: 'x', born: null }])
    // @ts-expect-error a field is missing
    await User.create({ org: 'acme', role: 'x', email: 'a@b', balance: 1n })
    // @ts-expect-error a field has another type
    await User.create({ ...row, balance: '1' })
  }
})

test('a condition is on plain columns alone', () => {
  ;async ({ User, users }: Opened) => {
    await User.findAll({ where: { org: 'acme' } })
    // @ts-expect-error encrypted columns are searched by their index
    await User.findAll({ where: { email: 'a@b' } })
    // @ts-expect-error and changed by update() of encryptedModel
    await User.update({ email: 'a@b' }, { where: { id: 'x' } })
    await users.search('email', 'a@b', { tenant: 'acme' }, { where: { role: 'x' } })
    // @ts-expect-error a field without an index
    await users.search('balance', 1n, { tenant: 'acme' })
    await users.update({ id: 'x', org: 'acme' }, { balance: 2n, role: 'y' })
    // @ts-expect-error the tenant is missing
    await users.update({ id: 'x' }, { balance: 2n })
    // @ts-expect-error an id cannot be changed
    await users.update({ id: 'x', org: 'acme' }, { id: 'y' })
    // @ts-expect-error an update has the types of the fields
    await users.updateMany({ org: 'acme' }, { born: 'today' })
  }
})
