import { join } from 'node:path'
import {
  defineRecord,
  defineStrongroom,
  type Field,
  type KmsProvider,
  type RecordSchema,
  type Strongroom,
} from 'strongroom'
import { createKeyStoreFile, fileKeyStore } from 'strongroom/file'
import { createKeyFile, sodiumKms } from 'strongroom/sodium'
import type { Dataset } from './dataset.ts'

/** The record of the demonstration; its columns are known only when it runs. */
type CustomersRecord = RecordSchema<
  'customers',
  Record<string, Field>,
  { readonly id: 'id'; readonly tenant: 'tenant' }
>

/** The demonstration's Strongroom. */
export type DemoRoom = Strongroom<{ readonly customers: CustomersRecord }>

/** Counts the calls that reach the key management service. */
export interface CallCount {
  calls: number
}

/** A key file and a key store in a folder: everything that encryption needs without a cloud. */
export async function createKeys(folder: string): Promise<void> {
  await createKeyFile({ path: join(folder, 'strongroom.key') })
  await createKeyStoreFile({ path: join(folder, 'strongroom.keys') })
}

/**
 * The configuration of the demonstration: the customers record, a local key file, a key store in one file.
 *
 * @param migrating whether plaintext is still accepted when it is read
 */
export function configure(dataset: Dataset, folder: string, count: CallCount, migrating: boolean) {
  const customers = defineRecord('customers', fields(dataset, migrating), { id: 'id', tenant: 'tenant' })
  return defineStrongroom({
    name: 'demo',
    kms: counted(sodiumKms({ path: join(folder, 'strongroom.key') }), count),
    store: fileKeyStore({ path: join(folder, 'strongroom.keys') }),
    records: { customers },
  })
}

function fields(dataset: Dataset, migrating: boolean): Record<string, Field> {
  const tomorrow = new Date(Date.now() + 86_400_000)
  return Object.fromEntries(
    dataset.columns.map((column): [string, Field] => {
      const field = column.field(column.name === dataset.search)
      const options = migrating ? { ...field.options, state: 'migrating' as const, until: tomorrow } : field.options
      return [column.name, { ...field, options }]
    }),
  )
}

function counted(kms: KmsProvider, count: CallCount): KmsProvider {
  return {
    name: kms.name,
    keyId: kms.keyId,
    accepts: (wrapped) => kms.accepts(wrapped),
    wrap(key, call) {
      count.calls++
      return kms.wrap(key, call)
    },
    unwrap(wrapped, call) {
      count.calls++
      return kms.unwrap(wrapped, call)
    },
    close: async () => kms.close?.(),
  }
}
